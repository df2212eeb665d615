"""What time it is. Read by the doors only and passed down as `now`, always aware and UTC.

The database's clock is the reference for every process, so that hosts with skewed clocks agree;
the sandbox moves it forward through the one row of `clock`.
"""

import time
from datetime import UTC, datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


def utc_now() -> datetime:
    """This process's own clock: for logs and for what never meets the database."""
    return datetime.now(UTC)


_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def steady() -> float:
    """Seconds that only ever grow, for measuring how long ago something was. Where the system can,
    a sleep of the whole machine counts, which `time.monotonic()` leaves out."""
    return time.clock_gettime(_STEADY)


async def database_now(conn: AsyncConnection) -> datetime:
    """What due times are compared with: the database's clock plus the sandbox's lead."""
    row = await conn.execute(text("select clock_timestamp() + ahead from clock"))
    found: datetime = row.scalar_one()
    return found.astimezone(UTC)


async def real_now(conn: AsyncConnection) -> datetime:
    """The database's clock without the sandbox's lead: for sessions, links and codes of telephones,
    which do not grow old when somebody plays with time."""
    found: datetime = (await conn.execute(text("select clock_timestamp()"))).scalar_one()
    return found.astimezone(UTC)
