"""Engagements (append-only) and the unlocks that human ones earn (L1)."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, insert, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.ids import uuid7
from orchestrator.models.calls import hosts
from orchestrator.models.engagement import engagements, unlocks
from orchestrator.models.messages import messages


async def add(
    conn: AsyncConnection,
    *,
    prospect_id: UUID,
    kind: str,
    grade: str,
    meaning: str | None,
    reasons: Iterable[str],
    happened_at: datetime,
    now: datetime,
    enrollment_id: UUID | None = None,
    message_id: UUID | None = None,
    provider_event_id: UUID | None = None,
    revises: UUID | None = None,
) -> UUID:
    """Append one engagement."""
    made = uuid7()
    await conn.execute(
        insert(engagements).values(
            id=made,
            prospect_id=prospect_id,
            enrollment_id=enrollment_id,
            message_id=message_id,
            provider_event_id=provider_event_id,
            kind=kind,
            grade=grade,
            meaning=meaning,
            reasons=list(reasons),
            revises=revises,
            happened_at=happened_at,
            recorded_at=now,
        )
    )
    return made


async def add_unlock(
    conn: AsyncConnection,
    *,
    engagement_id: UUID,
    prospect_id: UUID,
    enrollment_id: UUID,
    host_id: UUID,
    minutes: int,
    now: datetime,
) -> UUID | None:
    """Open the call of an enrollment; None when it is open already. The foreign key refuses an
    engagement that is not human or is somebody else's."""
    made = await conn.execute(
        upsert(unlocks)
        .values(
            id=uuid7(),
            engagement_id=engagement_id,
            prospect_id=prospect_id,
            grade="human",
            enrollment_id=enrollment_id,
            host_id=host_id,
            minutes=minutes,
            created_at=now,
        )
        .on_conflict_do_nothing(index_elements=["enrollment_id"])
        .returning(unlocks.c.id)
    )
    unlock: UUID | None = made.scalar_one_or_none()
    return unlock


async def meanings_since(
    conn: AsyncConnection, prospect_id: UUID, happened_at: datetime
) -> frozenset[Any]:
    """What the person's own answers after `happened_at` mean, by when they were given."""
    rows = await conn.execute(
        select(engagements.c.meaning)
        .where(
            engagements.c.prospect_id == prospect_id,
            engagements.c.grade == "human",
            engagements.c.meaning.is_not(None),
            engagements.c.happened_at > happened_at,
        )
        .distinct()
    )
    return frozenset(rows.scalars())


async def unlock_of(conn: AsyncConnection, enrollment_id: UUID) -> RowMapping | None:
    """The unlock of an enrollment, if a human engagement has earned one."""
    row = await conn.execute(select(unlocks).where(unlocks.c.enrollment_id == enrollment_id))
    return row.mappings().one_or_none()


async def of_prospect(
    conn: AsyncConnection, prospect_id: UUID, *, limit: int = 500
) -> Sequence[RowMapping]:
    """What one prospect did, oldest first."""
    rows = await conn.execute(
        select(engagements)
        .where(engagements.c.prospect_id == prospect_id)
        .order_by(engagements.c.id)
        .limit(limit)
    )
    return rows.mappings().all()


async def host_id(conn: AsyncConnection, name: str) -> UUID | None:
    """The host called `name`."""
    return (await conn.execute(select(hosts.c.id).where(hosts.c.name == name))).scalar_one_or_none()


async def enrollment_of_message(conn: AsyncConnection, message_id: UUID) -> UUID | None:
    """The enrollment that a message belongs to."""
    row = await conn.execute(select(messages.c.enrollment_id).where(messages.c.id == message_id))
    return row.scalar_one_or_none()
