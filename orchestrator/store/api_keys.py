"""API keys: stored as the hash of their secret."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.models.access import api_keys
from orchestrator.models.accounts import users

# Everything but the hash.
_SHOWN = (
    api_keys.c.id,
    api_keys.c.name,
    api_keys.c.scopes,
    api_keys.c.role,
    api_keys.c.user_id,
    api_keys.c.created_at,
    api_keys.c.used_at,
    api_keys.c.revoked_at,
)
_USE_RESOLUTION = timedelta(minutes=1)


async def add(
    conn: AsyncConnection,
    *,
    key_id: UUID,
    name: str,
    secret_hash: bytes,
    scopes: Sequence[str],
    role: str,
    user_id: UUID | None,
) -> None:
    """Insert one key. Violates uq_api_keys_name when the name is taken."""
    await conn.execute(
        insert(api_keys).values(
            id=key_id,
            name=name,
            secret_hash=secret_hash,
            scopes=list(scopes),
            role=role,
            user_id=user_id,
        )
    )


async def by_hash(conn: AsyncConnection, secret_hash: bytes) -> dict[str, Any] | None:
    """The live key with this hash, with its hash and its user's role, or None. The key of a user
    who is disabled does not live."""
    row = await conn.execute(
        select(*_SHOWN, api_keys.c.secret_hash, users.c.role.label("user_role"))
        .outerjoin(users, users.c.id == api_keys.c.user_id)
        .where(
            api_keys.c.secret_hash == secret_hash,
            api_keys.c.revoked_at.is_(None),
            users.c.disabled_at.is_(None),
        )
    )
    found = row.mappings().first()
    return dict(found) if found else None


async def everyone(conn: AsyncConnection) -> list[dict[str, Any]]:
    """All keys without their hashes and with their users' addresses, oldest first."""
    rows = await conn.execute(
        select(*_SHOWN, users.c.email.label("user"))
        .outerjoin(users, users.c.id == api_keys.c.user_id)
        .order_by(api_keys.c.created_at, api_keys.c.id)
    )
    return [dict(row) for row in rows.mappings()]


async def touch(conn: AsyncConnection, key_id: UUID, now: datetime) -> None:
    """Note that the key was used, at most once a minute."""
    await conn.execute(
        update(api_keys)
        .where(
            api_keys.c.id == key_id,
            or_(api_keys.c.used_at.is_(None), api_keys.c.used_at < now - _USE_RESOLUTION),
        )
        .values(used_at=now)
    )


async def revoke(conn: AsyncConnection, name: str, now: datetime) -> bool:
    """Whether a live key of this name was revoked."""
    changed = await conn.execute(
        update(api_keys)
        .where(api_keys.c.name == name, api_keys.c.revoked_at.is_(None))
        .values(revoked_at=now)
    )
    return changed.rowcount == 1


async def revoke_id(conn: AsyncConnection, key_id: UUID, now: datetime) -> bool:
    """The same by id."""
    changed = await conn.execute(
        update(api_keys)
        .where(api_keys.c.id == key_id, api_keys.c.revoked_at.is_(None))
        .values(revoked_at=now)
    )
    return changed.rowcount == 1
