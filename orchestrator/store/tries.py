"""How often somebody tried lately, counted across all processes."""

from datetime import datetime

from sqlalchemy import case, delete
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.models.accounts import tries
from orchestrator.rules.accounts import TRY_WINDOW


async def take(conn: AsyncConnection, key: bytes, now: datetime) -> int:
    """Count one try, before it is made: the number of tries in the window that is open, this one
    with them. Tries at the same time are counted one after the other."""
    over = tries.c.since <= now - TRY_WINDOW
    rows = await conn.execute(
        insert(tries)
        .values(key=key, count=1, since=now)
        .on_conflict_do_update(
            index_elements=[tries.c.key],
            set_={
                "count": case((over, 1), else_=tries.c.count + 1),
                "since": case((over, now), else_=tries.c.since),
            },
        )
        .returning(tries.c.count)
    )
    return int(rows.scalar_one())


async def forget(conn: AsyncConnection, key: bytes) -> None:
    """Start over: it was the right one."""
    await conn.execute(delete(tries).where(tries.c.key == key))


async def drop_old(conn: AsyncConnection, now: datetime) -> int:
    """Take away the windows that have closed."""
    return (await conn.execute(delete(tries).where(tries.c.since <= now - TRY_WINDOW))).rowcount
