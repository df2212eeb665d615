"""Links that are good once, found by the hash of their token."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.models.accounts import access_links


async def add(conn: AsyncConnection, **values: Any) -> None:
    """Insert one link."""
    await conn.execute(insert(access_links).values(**values))


async def find(conn: AsyncConnection, token_hash: bytes, now: datetime) -> RowMapping | None:
    """The link, while it is good."""
    rows = await conn.execute(
        select(access_links).where(
            access_links.c.token_hash == token_hash,
            access_links.c.used_at.is_(None),
            access_links.c.expires_at > now,
        )
    )
    return rows.mappings().first()


async def use(conn: AsyncConnection, token_hash: bytes, now: datetime) -> RowMapping | None:
    """Use a link up. None: it was used, has expired, or never was. Of two at once one gets it."""
    rows = await conn.execute(
        update(access_links)
        .where(
            access_links.c.token_hash == token_hash,
            access_links.c.used_at.is_(None),
            access_links.c.expires_at > now,
        )
        .values(used_at=now)
        .returning(access_links)
    )
    used: RowMapping | None = rows.mappings().first()
    return used


async def void(conn: AsyncConnection, *, kind: str | None = None, user_id: UUID | None) -> None:
    """Take away the unused links of a user, or the claims of nobody (`user_id` None)."""
    condition = access_links.c.used_at.is_(None) & access_links.c.user_id.is_not_distinct_from(
        user_id
    )
    if kind is not None:
        condition &= access_links.c.kind == kind
    await conn.execute(delete(access_links).where(condition))
