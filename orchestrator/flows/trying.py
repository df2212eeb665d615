"""Tries of passwords and codes are counted before they are made, in a transaction of their own."""

from datetime import datetime

from orchestrator.clock import real_now
from orchestrator.db import transaction
from orchestrator.errors import TooManyTries
from orchestrator.rules.accounts import TRY_WINDOW
from orchestrator.store import tries
from orchestrator.wiring import App


async def count_tries(app: App, *limits: tuple[str, str, int]) -> datetime:
    """Count one try of each (kind, whose, how many are let through). Returns the database's time.

    What is counted is committed first: guesses at the same moment do not slip past each other.
    Raises TooManyTries.
    """
    async with transaction(app.engine) as conn:
        now = await real_now(conn)
        # In one order whoever asks: two requests cannot wait for each other.
        wanted = sorted((app.keys.try_key(kind, whose), most) for kind, whose, most in limits)
        counts = [(await tries.take(conn, key, now), most) for key, most in wanted]
    if any(count > most for count, most in counts):
        raise TooManyTries(
            f"Too many tries; wait {TRY_WINDOW.seconds // 60} minutes.",
            retry_after=TRY_WINDOW.seconds,
        )
    return now
