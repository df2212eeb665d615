"""What the page Today shows. Each query reads what is recent or open, however much there is."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, RowMapping, Table, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.ids import first_of
from orchestrator.models.calls import bookings
from orchestrator.models.engagement import engagements
from orchestrator.models.messages import lanes, senders
from orchestrator.models.work import tasks
from orchestrator.store.ownership import belongs_to


async def open_tasks(conn: AsyncConnection, owner: UUID | None) -> dict[str, int]:
    """How many tasks are open, by kind."""
    query = select(tasks.c.kind, func.count().label("number")).where(tasks.c.state == "open")
    if owner is not None:
        query = query.where(_own(tasks, owner))
    rows = await conn.execute(query.group_by(tasks.c.kind))
    return {str(row.kind): int(row.number) for row in rows}


async def answers_since(conn: AsyncConnection, since: datetime, owner: UUID | None) -> int:
    """How many people have done something human since. Ids are in the order of time."""
    query = select(func.count(engagements.c.prospect_id.distinct())).where(
        engagements.c.id > first_of(since), engagements.c.grade == "human"
    )
    if owner is not None:
        query = query.where(_own(engagements, owner))
    return int((await conn.execute(query)).scalar_one())


async def calls_since(conn: AsyncConnection, since: datetime, owner: UUID | None) -> int:
    """How many calls were booked since, and are still to be had."""
    query = select(func.count()).where(
        bookings.c.id > first_of(since), bookings.c.state == "booked"
    )
    if owner is not None:
        query = query.where(_own(bookings, owner))
    return int((await conn.execute(query)).scalar_one())


async def sender_states(conn: AsyncConnection) -> list[RowMapping]:
    """Every sender by name: paused and why, or resting until when and why."""
    rows = await conn.execute(
        select(
            senders.c.name,
            senders.c.channel,
            senders.c.address,
            senders.c.paused_at,
            senders.c.pause_reason,
            lanes.c.parked_until,
            lanes.c.park_reason,
        )
        .outerjoin(lanes, lanes.c.sender_id == senders.c.id)
        .order_by(senders.c.name)
        .limit(200)
    )
    return list(rows.mappings())


def _own(table: Table, owner: UUID) -> ColumnElement[bool]:
    condition = belongs_to(table, owner)
    assert condition is not None  # each of these tables is about people
    return condition
