"""Changes of one prospect by hand, and the facts that somebody adds to them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.models.people import facts, prospects
from orchestrator.models.work import tasks

CHANGEABLE = (
    "first_name",
    "last_name",
    "title",
    "language",
    "country",
    "zone",
    "phone",
    "preferred_channel",
    "attributes",
)


async def values_of(conn: AsyncConnection, prospect_id: UUID) -> RowMapping:
    """The CHANGEABLE columns of a prospect."""
    rows = await conn.execute(
        select(*(prospects.c[name] for name in CHANGEABLE)).where(prospects.c.id == prospect_id)
    )
    return rows.mappings().one()


async def set_values(
    conn: AsyncConnection, prospect_id: UUID, values: Mapping[str, Any], *, now: datetime
) -> None:
    """Write CHANGEABLE columns of a prospect whose row is locked."""
    await conn.execute(
        update(prospects).where(prospects.c.id == prospect_id).values(**values, updated_at=now)
    )


async def open_missing(conn: AsyncConnection, prospect_id: UUID) -> list[RowMapping]:
    """The open tasks that name facts which this prospect lacks (`detail.missing`)."""
    rows = await conn.execute(
        select(tasks.c.id, tasks.c.detail)
        .where(tasks.c.prospect_id == prospect_id, tasks.c.state == "open")
        .where(tasks.c.kind == "missing_fact")
        .order_by(tasks.c.id)
    )
    return list(rows.mappings())


async def fact_names(conn: AsyncConnection, prospect_id: UUID) -> set[str]:
    """The names of the facts that are known of a prospect."""
    rows = await conn.execute(
        select(facts.c.name).where(facts.c.prospect_id == prospect_id).distinct()
    )
    return set(rows.scalars())
