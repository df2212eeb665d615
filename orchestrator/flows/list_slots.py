"""The free times of a host."""

from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.rules.slots import free_slots
from orchestrator.store import bookings, hosts


async def list_slots(
    conn: AsyncConnection,
    *,
    host_id: UUID,
    minutes: int,
    now: datetime,
    moving: UUID | None = None,
) -> list[datetime]:
    """The starts (UTC, in order) at which a call of `minutes` with this host can be booked now.

    `moving`: the booking that is to be moved, whose own time is not in its way. Raises NotFound.
    """
    host = await hosts.get(conn, host_id)
    return await slots_of(conn, host, minutes=minutes, now=now, moving=moving)


async def slots_of(
    conn: AsyncConnection,
    host: RowMapping,
    *,
    minutes: int,
    now: datetime,
    moving: UUID | None = None,
    taken: bool = True,
) -> list[datetime]:
    """The same for a host that is loaded. `taken` False leaves out what other calls take."""
    hours = hosts.hours_of(host)
    first = now.astimezone(ZoneInfo(hours.zone)).date()
    days = hours.horizon_days + 2  # the host's day may be a day ahead or behind
    until = now + timedelta(days=days + 1)
    busy = await bookings.busy(conn, host["id"], now, until, but=moving) if taken else []
    exceptions = await hosts.exceptions(conn, host["id"], first, days)
    return free_slots(hours, exceptions, busy, minutes, now, first_day=first, days=days)
