"""Hosts and the dates on which their hours are different."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.errors import NotFound
from orchestrator.models.calls import bookings, host_exceptions, hosts
from orchestrator.models.engagement import unlocks
from orchestrator.rules.slots import HostHours, Span, spans, weekly_spans


def hours_of(row: RowMapping) -> HostHours:
    """When the host of this row takes calls."""
    return HostHours(
        zone=row["zone"],
        weekly=weekly_spans(row["weekly"]),
        slot_minutes=row["slot_minutes"],
        buffer_before_minutes=row["buffer_before_minutes"],
        buffer_after_minutes=row["buffer_after_minutes"],
        notice_minutes=row["notice_minutes"],
        horizon_days=row["horizon_days"],
    )


async def get(conn: AsyncConnection, host_id: UUID, *, lock: bool = False) -> RowMapping:
    """One host. `lock`: bookings of one host are made one after the other, so that two prospects
    who want the same time meet in order and not in a deadlock. Raises NotFound."""
    query = select(hosts).where(hosts.c.id == host_id)
    rows = await conn.execute(query.with_for_update(key_share=True) if lock else query)
    row = rows.mappings().one_or_none()
    if row is None:
        raise NotFound("There is no such host.")
    return row


async def by_name(conn: AsyncConnection, name: str, *, lock: bool = False) -> RowMapping:
    """One host by its name. Raises NotFound."""
    query = select(hosts).where(hosts.c.name == name)
    rows = await conn.execute(query.with_for_update(key_share=True) if lock else query)
    row = rows.mappings().one_or_none()
    if row is None:
        raise NotFound(f"There is no host called `{name}`: `avtale hosts list` shows them.")
    return row


async def listing(conn: AsyncConnection, *, now: datetime) -> list[RowMapping]:
    """Every host by name, with the number of calls ahead."""
    ahead = (
        select(func.count())
        .where(
            bookings.c.host_id == hosts.c.id,
            bookings.c.state == "booked",
            func.upper(bookings.c.during) > now,
        )
        .scalar_subquery()
    )
    rows = await conn.execute(select(hosts, ahead.label("calls_ahead")).order_by(hosts.c.name))
    return list(rows.mappings())


async def add(conn: AsyncConnection, values: Mapping[str, Any], *, now: datetime) -> None:
    """Insert a host: `id`, `name` and the columns of HostValues."""
    await conn.execute(insert(hosts).values(created_at=now, **values))


async def change(conn: AsyncConnection, host_id: UUID, values: Mapping[str, Any]) -> None:
    """Change columns of a host."""
    await conn.execute(update(hosts).where(hosts.c.id == host_id).values(**values))


async def exceptions(
    conn: AsyncConnection, host_id: UUID, first: date, days: int
) -> dict[date, tuple[Span, ...]]:
    """The hours of the dates that differ from the week, for `days` days from `first` on."""
    rows = await exception_rows(conn, host_id, first)
    last = first + timedelta(days=days)
    return {row["day"]: spans(row["hours"]) for row in rows if row["day"] <= last}


async def exception_rows(conn: AsyncConnection, host_id: UUID, first: date) -> list[RowMapping]:
    """The exceptions from `first` on, in order."""
    rows = await conn.execute(
        select(host_exceptions)
        .where(host_exceptions.c.host_id == host_id, host_exceptions.c.day >= first)
        .order_by(host_exceptions.c.day)
    )
    return list(rows.mappings())


async def put_exception(
    conn: AsyncConnection, host_id: UUID, day: date, hours: list[str], note: str
) -> None:
    """Set the hours of one date; none is a day off."""
    change = upsert(host_exceptions).values(host_id=host_id, day=day, hours=hours, note=note)
    await conn.execute(
        change.on_conflict_do_update(
            index_elements=["host_id", "day"], set_={"hours": hours, "note": note}
        )
    )


async def drop_exception(conn: AsyncConnection, host_id: UUID, day: date) -> bool:
    """Let a date have its ordinary hours again. False when it had them."""
    gone = await conn.execute(
        delete(host_exceptions).where(
            host_exceptions.c.host_id == host_id, host_exceptions.c.day == day
        )
    )
    return gone.rowcount == 1


async def is_used(conn: AsyncConnection, host_id: UUID) -> bool:
    """Whether an unlock or a booking names this host: then it stays."""
    found = await conn.execute(select(unlocks.c.id).where(unlocks.c.host_id == host_id).limit(1))
    return found.first() is not None


async def drop(conn: AsyncConnection, host_id: UUID) -> None:
    """Delete a host that nothing names, with its exceptions."""
    await conn.execute(delete(host_exceptions).where(host_exceptions.c.host_id == host_id))
    await conn.execute(delete(hosts).where(hosts.c.id == host_id))
