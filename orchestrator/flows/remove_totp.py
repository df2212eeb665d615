"""Take a second factor away."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.errors import NotFound
from orchestrator.store import users


async def remove_totp(conn: AsyncConnection, *, user_id: UUID) -> bool:
    """No code is asked for any more. False: none was. The door has asked for the password."""
    user = await users.by_id(conn, user_id, lock=True)
    if user is None:
        raise NotFound("There is no such user.")
    if user["totp_secret"] is None and user["totp_offered"] is None:
        return False
    await users.change(conn, user_id, totp_secret=None, totp_offered=None, totp_step=None)
    await users.put_codes(conn, user_id, [])
    return True
