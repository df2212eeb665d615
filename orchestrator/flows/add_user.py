"""Add a user."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.db import is_constraint
from orchestrator.errors import BadInput, Conflict
from orchestrator.ids import uuid7
from orchestrator.rules.access import ROLES
from orchestrator.rules.accounts import folded, name_fault
from orchestrator.store import users


async def add_user(
    conn: AsyncConnection,
    *,
    email: str,
    name: str,
    role: str,
    now: datetime,
    password_hash: str | None = None,
) -> UUID:
    """A new user, who sets a password by a link. Raises BadInput, Conflict for a known address."""
    if role not in ROLES:
        raise BadInput(f"`{role}` is no role: {', '.join(ROLES)}.", field="role", fault="role")
    if said := name_fault(name):
        raise BadInput(said, field="name", fault="name")
    try:
        address = folded(email)
    except ValueError:
        raise BadInput("This is no email address.", field="email", fault="email") from None
    made = uuid7()
    try:
        async with conn.begin_nested():
            await users.add(
                conn,
                id=made,
                email=address,
                name=name.strip(),
                role=role,
                password_hash=password_hash,
                created_at=now,
            )
    except IntegrityError as error:
        if is_constraint(error, "uq_users_email"):
            raise Conflict(
                "There is a user with this address.", field="email", fault="taken"
            ) from None
        raise
    return made
