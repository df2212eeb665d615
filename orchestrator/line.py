"""A connection of the driver's own, for the one who writes for every message of a process.

Taking a connection from the pool, beginning and ending a transaction there took twice what the
statements between took (`docs/performance.md`). This one is kept from one transaction to the next,
and never after anything that went wrong on it.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Protocol

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from orchestrator.clock import steady


class Driver(Protocol):
    """What is used of `asyncpg.Connection`."""

    async def execute(self, query: str) -> str: ...
    async def fetch(self, query: str, *args: Any) -> list[Any]: ...
    def is_closed(self) -> bool: ...
    def terminate(self) -> None: ...


# Its few statements run again and again. Left to itself PostgreSQL plans them each time for as many
# rows as there are, which takes 2.1 ms of a commit that runs for 1.2 ms. A plan for any number of
# rows is kept instead, and made anew now and then, since it knows the tables only as they were.
_BEGIN = "begin; set local plan_cache_mode = force_generic_plan"
_PLANS_SECONDS = 10.0


class Line:
    """One connection of `engine`'s pool, taken when it is needed and kept until `drop`."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._held: AsyncConnection | None = None
        self._driver: Driver | None = None
        self._planned = 0.0  # by `steady`

    async def take(self) -> Driver:
        """The connection, a new one where there is none that lives."""
        if self._driver is None or self._driver.is_closed():
            await self.drop()
            self._held = await self._engine.connect()
            raw = await self._held.get_raw_connection()
            driver: Driver | None = raw.driver_connection
            assert driver is not None
            self._driver, self._planned = driver, steady()
        elif steady() - self._planned > _PLANS_SECONDS:
            await self._driver.execute("discard plans")
            self._planned = steady()
        return self._driver

    async def drop(self) -> None:
        """Hang up at once: what it was doing is rolled back by the server."""
        held, driver = self._held, self._driver
        self._held = self._driver = None
        if driver is not None:
            driver.terminate()
        if held is not None:
            await held.invalidate()
            await held.close()


@asynccontextmanager
async def on_line(line: Line) -> AsyncIterator[Driver]:
    """What `db.transaction` is, on a line: committed when the block ends, rolled back when it
    raises."""
    try:
        driver = await line.take()
        await driver.execute(_BEGIN)
        yield driver
        done = await driver.execute("commit")
        if done != "COMMIT":  # PostgreSQL ends a transaction that failed in this way
            raise RuntimeError(f"the transaction ended with {done}")
    except BaseException:
        await line.drop()
        raise
