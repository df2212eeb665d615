"""Change what a user is called, which role they have, and whether they may sign in."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.errors import BadInput, Conflict, NotFound
from orchestrator.rules.access import ROLES
from orchestrator.rules.accounts import name_fault
from orchestrator.store import access_links, sessions, users


async def change_user(
    conn: AsyncConnection,
    *,
    user_id: UUID,
    now: datetime,
    name: str | None = None,
    role: str | None = None,
    disabled: bool | None = None,
) -> bool:
    """Set what is given; False when all of it was so. Another role, or none any more, ends every
    session of theirs. Raises NotFound, BadInput, and Conflict for the last admin."""
    if role is not None and role not in ROLES:
        raise BadInput(f"`{role}` is no role: {', '.join(ROLES)}.", field="role", fault="role")
    if name is not None and (said := name_fault(name)):
        raise BadInput(said, field="name", fault="name")
    admins = await users.lock_admins(conn)
    row = await users.by_id(conn, user_id, lock=True)
    if row is None:
        raise NotFound("There is no such user.")
    values: dict[str, object] = {}
    if name is not None and name.strip() != row["name"]:
        values["name"] = name.strip()
    if role is not None and role != row["role"]:
        values["role"] = role
    if disabled is not None and disabled != (row["disabled_at"] is not None):
        values["disabled_at"] = now if disabled else None
    loses = values.get("role", "admin") != "admin" or values.get("disabled_at") is not None
    if admins == [user_id] and loses:
        raise Conflict("This is the last admin: make another one first.", fault="last_admin")
    if not values:
        return False
    await users.change(conn, user_id, **values)
    if values.keys() & {"role", "disabled_at"}:
        await sessions.end_all(conn, user_id)
    if disabled:
        await access_links.void(conn, user_id=user_id)
    return True
