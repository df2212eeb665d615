"""Suppressions: keyed hashes of addresses that nothing automated may write to (L4)."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import RowMapping, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.ids import uuid7
from orchestrator.models.people import identities, suppressions


async def add(
    conn: AsyncConnection,
    *,
    scope: str,
    channel: str,
    address_hash: bytes,
    reason: str,
    now: datetime,
    prospect_id: UUID | None = None,
) -> bool:
    """Suppress one address hash. False when it was suppressed in this scope before."""
    made = await conn.execute(
        insert(suppressions)
        .values(
            id=uuid7(),
            scope=scope,
            channel=channel,
            address_hash=address_hash,
            prospect_id=prospect_id,
            reason=reason,
            created_at=now,
        )
        .on_conflict_do_nothing(index_elements=["address_hash", "scope"])
        .returning(suppressions.c.id)
    )
    return made.scalar_one_or_none() is not None


async def add_person(
    conn: AsyncConnection, prospect_id: UUID, *, reason: str, now: datetime
) -> int:
    """Suppress a person: every identity of theirs in scope `person`. Returns how many are new."""
    known = await conn.execute(
        select(identities.c.channel, identities.c.address_hash)
        .where(identities.c.prospect_id == prospect_id)
        .order_by(identities.c.address_hash)
    )
    new = 0
    for row in known.all():
        new += await add(
            conn,
            scope="person",
            channel=row.channel,
            address_hash=row.address_hash,
            reason=reason,
            now=now,
            prospect_id=prospect_id,
        )
    return new


async def suppressed_hashes(conn: AsyncConnection, hashes: Iterable[bytes]) -> set[bytes]:
    """Which of these address hashes are suppressed, in any scope."""
    rows = await conn.execute(
        select(suppressions.c.address_hash).where(suppressions.c.address_hash.in_(list(hashes)))
    )
    return set(rows.scalars())


async def is_suppressed(conn: AsyncConnection, address_hash: bytes) -> bool:
    """Whether this address is suppressed, in any scope."""
    row = await conn.execute(
        select(literal(1)).where(suppressions.c.address_hash == address_hash).limit(1)
    )
    return row.first() is not None


async def page(
    conn: AsyncConnection, *, after: UUID | None = None, limit: int = 100
) -> Sequence[RowMapping]:
    """Suppressions in the order in which they were made."""
    query = select(suppressions).order_by(suppressions.c.id).limit(limit)
    if after is not None:
        query = query.where(suppressions.c.id > after)
    return (await conn.execute(query)).mappings().all()
