"""The engine, and `transaction()`: the only commit in the code but that of `line`."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit

from asyncpg import PostgresError
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from orchestrator import acting
from orchestrator.errors import SetupError

MINIMUM_SERVER = 150000  # server_version_num of PostgreSQL 15


def engine_url(url: str) -> str:
    """`postgres://` and `postgresql://` become SQLAlchemy's asyncpg dialect; the rest is kept."""
    parts = urlsplit(url)
    scheme = {"postgres": "postgresql+asyncpg", "postgresql": "postgresql+asyncpg"}.get(
        parts.scheme, parts.scheme
    )
    if scheme != "postgresql+asyncpg":
        raise SetupError(f"AVTALE_DATABASE_URL must be a postgresql:// URL, not {parts.scheme}://")
    return urlunsplit((scheme, *parts[1:])).replace(
        "postgresql+asyncpg:/?", "postgresql+asyncpg:///?"
    )


def make_engine(url: str, *, pool_size: int = 10) -> AsyncEngine:
    """An engine with a bounded pool. Statements idle in a transaction are ended by the server."""
    return create_async_engine(
        engine_url(url),
        pool_size=pool_size,
        max_overflow=5,
        pool_timeout=20,
        pool_pre_ping=False,
        json_serializer=lambda value: json.dumps(value, ensure_ascii=False, separators=(",", ":")),
        connect_args={
            "timeout": 10,
            "command_timeout": 60,
            "server_settings": {
                "application_name": "avtale",
                "timezone": "UTC",
                "idle_in_transaction_session_timeout": "60s",
                # A point of no return that a crash of the server forgets is a message sent twice.
                "synchronous_commit": "on",
            },
        },
    )


@asynccontextmanager
async def transaction(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """One transaction: committed when the block ends, rolled back when it raises.

    No network call belongs inside; a flow that talks to the world does so between two of these.
    Where a person acts (`acting`), what it changes is in the audit log, or none of it happened.
    """
    actor = acting.watched()
    if actor is None:
        async with engine.connect() as conn, conn.begin():
            yield conn
        return
    async with engine.connect() as conn, conn.begin():
        await acting.begin(conn, actor)
        yield conn
        noted = await acting.end(conn, actor)
    actor.noted = actor.noted or noted


async def check_server(engine: AsyncEngine, *, head: str | None) -> None:
    """Refuse a PostgreSQL that is too old or not migrated to `head`, in words that say what to do.

    Raises SetupError. `head` None skips the migration check (for `avtale migrate` itself).
    """
    async with transaction(engine) as conn:
        version = int((await conn.execute(text("show server_version_num"))).scalar_one())
        if version < MINIMUM_SERVER:
            raise SetupError(f"PostgreSQL {version // 10000} is too old: Avtale needs 15 or newer.")
        if head is None:
            return
        restoring = (
            await conn.execute(text("select to_regclass('public.restoring') is not null"))
        ).scalar_one()
        if restoring:  # nothing is held yet: a worker would send again what left since (L2)
            raise SetupError(
                "A restore of this database is under way, or was cut: wait for it, or run"
                " `avtale restore --replace` again."
            )
        present = (
            await conn.execute(text("select to_regclass('public.alembic_version') is not null"))
        ).scalar_one()
        current = (
            (await conn.execute(text("select version_num from alembic_version"))).scalar()
            if present
            else None
        )
    if current != head:
        raise SetupError(
            f"The database is at migration {current or 'none'}, this code needs {head}: "
            "run `avtale migrate`."
        )


def is_constraint(error: DBAPIError, name: str) -> bool:
    """Whether the database refused a row by the constraint called `name`."""
    cause = getattr(error.orig, "__cause__", None)
    return getattr(cause, "constraint_name", None) == name


def is_passing(error: Exception) -> bool:
    """Whether it was the moment and not the statement: a deadlock, a lock or resource that was not
    to be had, a server that was told to stop (SQLSTATE classes 40, 53, 55 and 57). As SQLAlchemy
    says it, or the driver itself (`store.direct`)."""
    if isinstance(error, DBAPIError):
        state = getattr(error.orig, "sqlstate", None) or ""
        return error.connection_invalidated or is_passing_state(state)
    return isinstance(error, PostgresError) and is_passing_state(error.sqlstate or "")


def is_passing_state(sqlstate: str) -> bool:
    """The same of an SQLSTATE; class 08 is a connection that was lost."""
    return sqlstate[:2] in ("08", "40", "53", "55", "57")
