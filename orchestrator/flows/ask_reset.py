"""Ask for a link to set a new password with."""

from dataclasses import dataclass

from orchestrator.db import transaction
from orchestrator.flows.make_link import make_link
from orchestrator.flows.trying import count_tries
from orchestrator.rules.accounts import RESETS_OF_ACCOUNT, TRIES_OF_ADDRESS, folded
from orchestrator.store import users
from orchestrator.wiring import App


@dataclass(frozen=True, slots=True)
class ResetLink:
    """Whom the link is for, and its token."""

    email: str
    name: str
    language: str | None
    token: str


async def ask_reset(app: App, *, email: str, address: str) -> ResetLink | None:
    """The link to mail, None where there is nobody to mail it to: the door says the same of both.

    Raises TooManyTries.
    """
    try:
        wanted = folded(email)
    except ValueError:
        wanted = email[:254].casefold()
    now = await count_tries(
        app, ("reset", wanted, RESETS_OF_ACCOUNT), ("reset address", address, TRIES_OF_ADDRESS)
    )
    async with transaction(app.engine) as conn:
        user = await users.by_email(conn, wanted)
        if user is None or user["disabled_at"] is not None:
            return None
        token = await make_link(conn, kind="reset", user_id=user["id"], now=now)
    return ResetLink(user["email"], user["name"], user["language"], token)
