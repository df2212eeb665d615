"""Whose people are whose, and what belongs to them."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, FromClause, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.models.calls import bookings
from orchestrator.models.engagement import engagements, unlocks
from orchestrator.models.messages import messages
from orchestrator.models.people import prospects
from orchestrator.models.sequences import enrollments
from orchestrator.models.work import tasks

# Parameters of addresses, and the table whose row they name.
OF_PARAMETERS = {
    "prospect_id": prospects,
    "enrollment_id": enrollments,
    "message_id": messages,
    "engagement_id": engagements,
    "unlock_id": unlocks,
    "booking_id": bookings,
    "task_id": tasks,
}


def belongs_to(table: FromClause, owner_id: UUID) -> ColumnElement[bool] | None:
    """The condition that a row of `table` is about a person of this owner; None where the table is
    about nobody, and no condition would do."""
    if table is prospects:
        return prospects.c.owner_id == owner_id
    if "prospect_id" not in table.c:
        return None
    own = select(prospects.c.id).where(prospects.c.owner_id == owner_id)
    return table.c["prospect_id"].in_(own)


async def is_own(conn: AsyncConnection, parameter: str, value: UUID, owner_id: UUID) -> bool:
    """Whether the row that a parameter of an address names is about a person of this owner."""
    table = OF_PARAMETERS[parameter]
    condition = belongs_to(table, owner_id)
    assert condition is not None  # every table of OF_PARAMETERS is about people
    found = await conn.execute(select(table.c.id).where(table.c.id == value, condition))
    return found.first() is not None


async def lock(conn: AsyncConnection, prospect_ids: Sequence[UUID]) -> int:
    """Lock these people in order; how many there are."""
    rows = await conn.execute(
        select(prospects.c.id)
        .where(prospects.c.id.in_(prospect_ids))
        .order_by(prospects.c.id)
        .with_for_update(key_share=True)
    )
    return len(rows.all())


async def assign(
    conn: AsyncConnection, prospect_ids: Sequence[UUID], owner_id: UUID | None, *, now: datetime
) -> list[UUID]:
    """Make them this owner's. Those whom it changed."""
    rows = await conn.execute(
        update(prospects)
        .where(
            prospects.c.id.in_(prospect_ids),
            prospects.c.owner_id.is_distinct_from(owner_id),
        )
        .values(owner_id=owner_id, updated_at=now)
        .returning(prospects.c.id)
    )
    return list(rows.scalars())
