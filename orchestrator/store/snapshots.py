"""Reading and emptying a whole database, for backup and restore."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An exported snapshot: good while the transaction that took it is open."""

    name: str
    taken_at: datetime
    revision: str | None


async def export(conn: AsyncConnection) -> Snapshot:
    """Fix what this transaction sees and let others see the same. First thing in a transaction."""
    await conn.execute(text("set transaction isolation level repeatable read, read only"))
    await conn.execute(
        text(
            "select set_config('idle_in_transaction_session_timeout', '0', true),"
            " set_config('statement_timeout', '0', true)"
        )
    )
    row = (await conn.execute(text("select pg_export_snapshot(), clock_timestamp()"))).one()
    kept = await conn.execute(text("select to_regclass('alembic_version') is not null"))
    revision = None
    if kept.scalar():  # else nothing was ever set up here
        revision = (await conn.execute(text("select version_num from alembic_version"))).scalar()
    return Snapshot(row[0], row[1], revision)


_OTHERS = text("""
select count(*) from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid() and application_name = 'avtale'
""")


async def others(conn: AsyncConnection) -> int:
    """How many other connections of Avtale's processes are open on this database."""
    return int((await conn.execute(_OTHERS)).scalar_one())


async def has_tables(conn: AsyncConnection) -> bool:
    """Whether there is anything in the database, but for the mark of a restore."""
    row = await conn.execute(
        text(
            "select exists (select 1 from pg_tables"
            " where schemaname = 'public' and tablename <> 'restoring')"
        )
    )
    return bool(row.scalar_one())


async def has_data(conn: AsyncConnection) -> bool:
    """Whether somebody has put anything into Avtale's tables, or into other ones."""
    ours = await conn.execute(text("select to_regclass('public.prospects') is not null"))
    if not ours.scalar_one():
        return await has_tables(conn)
    row = await conn.execute(
        text(
            "select exists (select 1 from prospects) or exists (select 1 from senders)"
            " or exists (select 1 from sequences) or exists (select 1 from suppressions)"
        )
    )
    return bool(row.scalar_one())


async def empty(conn: AsyncConnection) -> None:
    """Throw everything in the schema `public` away."""
    await conn.execute(text("drop schema public cascade"))
    await conn.execute(text("create schema public"))
