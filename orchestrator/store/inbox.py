"""The inbox of provider events: stored once, read under lock, kept when nobody knows whose."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, case, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.ids import uuid7
from orchestrator.models.engagement import provider_events


async def add(
    conn: AsyncConnection,
    *,
    source: str,
    external_id: str,
    kind: str,
    raw: bytes,
    detail: dict[str, Any],
    now: datetime,
) -> UUID | None:
    """Store an event that is to be read; None when it was stored before."""
    row = await conn.execute(
        insert(provider_events)
        .values(
            id=uuid7(),
            source=source,
            external_id=external_id,
            kind=kind,
            raw=raw,
            detail=detail,
            received_at=now,
        )
        .on_conflict_do_nothing(index_elements=["source", "external_id"])
        .returning(provider_events.c.id)
    )
    made: UUID | None = row.scalar_one_or_none()
    return made


async def claim(conn: AsyncConnection, *, without: Sequence[UUID] = ()) -> RowMapping | None:
    """Lock the oldest event that is still to be read and that no other reader holds."""
    rows = await conn.execute(
        select(provider_events)
        .where(provider_events.c.state == "stored", provider_events.c.id.not_in(list(without)))
        .order_by(provider_events.c.received_at, provider_events.c.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    return rows.mappings().one_or_none()


async def settle(
    conn: AsyncConnection,
    event_id: UUID,
    *,
    state: str,
    now: datetime,
    prospect_id: UUID | None = None,
    message_id: UUID | None = None,
    **detail: Any,
) -> None:
    """Note what became of an event: `handled` or `unmatched`, whose it is, and why."""
    await conn.execute(
        update(provider_events)
        .where(provider_events.c.id == event_id)
        .values(
            state=state,
            handled_at=now,
            prospect_id=prospect_id,
            message_id=message_id,
            error=None,
            detail=provider_events.c.detail.concat(detail),
        )
    )


async def note_failure(
    conn: AsyncConnection, event_id: UUID, *, error: str, most: int
) -> RowMapping:
    """Count a reading that failed; at `most` of them the event is `failed` and rests."""
    attempt = provider_events.c.attempt + 1
    rows = await conn.execute(
        update(provider_events)
        .where(provider_events.c.id == event_id)
        .values(
            attempt=attempt,
            error=error[:1000],
            state=case((attempt >= most, "failed"), else_=provider_events.c.state),
        )
        .returning(provider_events.c.attempt, provider_events.c.state)
    )
    return rows.mappings().one()


async def unmatched(conn: AsyncConnection, *, limit: int = 100) -> Sequence[RowMapping]:
    """Events that matched nobody, and those that could not be read; newest first."""
    rows = await conn.execute(
        select(provider_events)
        .where(provider_events.c.state.in_(("unmatched", "failed")))
        .order_by(provider_events.c.received_at.desc())
        .limit(limit)
    )
    return rows.mappings().all()


async def get(conn: AsyncConnection, event_id: UUID) -> RowMapping | None:
    """One event, with the bytes that came."""
    rows = await conn.execute(select(provider_events).where(provider_events.c.id == event_id))
    return rows.mappings().one_or_none()
