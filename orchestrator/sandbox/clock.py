"""Time in the sandbox: it goes forward by a click, for every process at once."""

import asyncio
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from orchestrator.clock import database_now
from orchestrator.db import transaction
from orchestrator.store import history, sandbox

_PATIENCE = 5.0  # seconds to wait for messages that are just leaving


async def move(engine: AsyncEngine, by: timedelta) -> datetime:
    """Move time forward by `by`; returns the new time.

    Waits a little for messages in flight, whose leases a jump would end.
    """
    deadline = asyncio.get_running_loop().time() + _PATIENCE
    while True:
        async with transaction(engine) as conn:
            busy = await sandbox.in_flight(conn)
            if not busy or asyncio.get_running_loop().time() > deadline:
                await sandbox.move_clock(conn, by)
                now = await database_now(conn)
                await history.append(conn, "clock.moved", at=now, seconds=int(by.total_seconds()))
                return now
        await asyncio.sleep(0.05)


async def move_to_next(engine: AsyncEngine) -> datetime | None:
    """Move to the moment when the next thing is due; None when nothing waits for time."""
    async with transaction(engine) as conn:
        now = await database_now(conn)
        due = await sandbox.next_due(conn, now)
    if due is None:
        return None
    return await move(engine, due - now + timedelta(milliseconds=50))
