"""Change one's own password."""

from uuid import UUID

from orchestrator import passwords
from orchestrator.clock import real_now
from orchestrator.db import transaction
from orchestrator.errors import NotFound
from orchestrator.flows.opening import rotated
from orchestrator.flows.prove_password import prove_password
from orchestrator.flows.set_password import require_password
from orchestrator.store import access_links, users
from orchestrator.wiring import App


async def change_password(
    app: App, *, user_id: UUID, session_id: UUID, current: str, password: str
) -> str:
    """The session's new token; the user's other sessions and open links are worth nothing.

    Raises BadInput, TooManyTries.
    """
    await prove_password(app, user_id=user_id, password=current)
    async with transaction(app.engine) as conn:
        user = await users.by_id(conn, user_id)
    if user is None:
        raise NotFound("There is no such user.")
    require_password(password, user["email"], user["name"])
    hashed = await passwords.hashed(password)
    async with transaction(app.engine) as conn:
        await users.change(conn, user_id, password_hash=hashed)
        await access_links.void(conn, user_id=user_id)
        return await rotated(conn, session_id=session_id, user_id=user_id, now=await real_now(conn))
