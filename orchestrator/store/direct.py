"""Statements that go to the driver itself: for the few that run for every message.

SQLAlchemy takes about 250 microseconds of Python for a statement, asyncpg 60 (measured on the send
path, `docs/performance.md`); the SQL, the transaction and its end stay the same.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.line import Driver

_NAME = re.compile(r"(?<![:\\\w]):([a-z_]\w*)")


class Statement:
    """SQL with `:names` as in `text()`, a literal colon escaped as there."""

    def __init__(self, sql: str) -> None:
        self._text = text(sql)
        self._names = list(dict.fromkeys(_NAME.findall(sql)))
        numbered = _NAME.sub(lambda found: f"${self._names.index(found[1]) + 1}", sql)
        self._sql = numbered.replace(r"\:", ":")

    async def fetch(
        self, conn: AsyncConnection | Driver, values: Mapping[str, Any]
    ) -> Sequence[Mapping[Any, Any]]:
        """The rows as mappings, within the transaction of `conn`, which must have begun.

        On a connection of SQLAlchemy its first statement goes through SQLAlchemy, which begins the
        transaction on the server. Errors of the driver come as they are (`asyncpg.PostgresError`)
        from all others.
        """
        if isinstance(conn, AsyncConnection):
            inner = conn.sync_connection
            assert inner is not None
            driver: Any = inner.connection.driver_connection
            if not driver.is_in_transaction():
                done = await conn.execute(self._text, dict(values))
                return done.mappings().all() if done.returns_rows else []
        else:
            driver = conn
        rows: Sequence[Mapping[Any, Any]] = await driver.fetch(
            self._sql, *[values[name] for name in self._names]
        )
        return rows


_PLANS = Statement("select set_config('plan_cache_mode', :mode, true)")


async def plan_anew(conn: AsyncConnection, *, anew: bool = True) -> None:
    """Plan the next statements for the tables as they are, until the end of the transaction or
    `anew=False`.

    A plan that was kept from when a table was empty reads it whole: 170 us of the server for a row
    of an import, not 50, and 350 us for a message that is prepared, not 20. Not for inserts: the
    checks of their foreign keys would be planned row by row.
    """
    await _PLANS.fetch(conn, {"mode": "force_custom_plan" if anew else "auto"})
