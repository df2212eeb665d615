"""Ask for the password again, before something that a stolen session must not do."""

from uuid import UUID

from orchestrator import passwords
from orchestrator.db import transaction
from orchestrator.errors import BadInput
from orchestrator.flows.trying import count_tries
from orchestrator.rules.accounts import TRIES_OF_ACCOUNT
from orchestrator.store import tries, users
from orchestrator.wiring import App


async def prove_password(app: App, *, user_id: UUID, password: str) -> None:
    """Return when it is the password. Raises BadInput, TooManyTries."""
    await count_tries(app, ("proof", str(user_id), TRIES_OF_ACCOUNT))
    async with transaction(app.engine) as conn:
        user = await users.by_id(conn, user_id)
    if not await passwords.fits(password, user["password_hash"] if user else None):
        raise BadInput("This is not your password.", field="current", fault="current")
    async with transaction(app.engine) as conn:
        await tries.forget(conn, app.keys.try_key("proof", str(user_id)))
