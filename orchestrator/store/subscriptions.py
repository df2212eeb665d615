"""Subscriptions: who is told of what, and how far in history each has been told."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, delete, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.models.outbound import attempts, deliveries, subscriptions
from orchestrator.models.work import history


async def add(conn: AsyncConnection, values: dict[str, Any]) -> None:
    """A new subscription."""
    await conn.execute(insert(subscriptions).values(**values))


async def get(
    conn: AsyncConnection, subscription_id: UUID, *, lock: bool = False
) -> RowMapping | None:
    """One subscription. `lock` takes its row; rows of its deliveries are locked after it."""
    query = select(subscriptions).where(subscriptions.c.id == subscription_id)
    found = await conn.execute(query.with_for_update(key_share=True) if lock else query)
    return found.mappings().one_or_none()


async def everyone(conn: AsyncConnection) -> Sequence[RowMapping]:
    """All of them, oldest first."""
    rows = await conn.execute(select(subscriptions).order_by(subscriptions.c.id))
    return rows.mappings().all()


async def change(conn: AsyncConnection, subscription_id: UUID, values: dict[str, Any]) -> None:
    """Set some columns."""
    await conn.execute(
        update(subscriptions).where(subscriptions.c.id == subscription_id).values(**values)
    )


async def remove(conn: AsyncConnection, subscription_id: UUID) -> bool:
    """Delete a subscription with its deliveries and their log. False when there was none."""
    own = select(deliveries.c.id).where(deliveries.c.subscription_id == subscription_id)
    await conn.execute(delete(attempts).where(attempts.c.delivery_id.in_(own)))
    await conn.execute(delete(deliveries).where(deliveries.c.subscription_id == subscription_id))
    gone = await conn.execute(delete(subscriptions).where(subscriptions.c.id == subscription_id))
    return gone.rowcount > 0


async def newest_history(conn: AsyncConnection) -> tuple[int, datetime]:
    """The last id that history has given out, committed or not, and when this server started."""
    row = await conn.execute(
        text("""
select coalesce(pg_sequence_last_value(pg_get_serial_sequence('history', 'id')::regclass), 0),
  pg_postmaster_start_time()""")
    )
    last, started = row.one()
    return int(last), started


async def history_writers(conn: AsyncConnection) -> frozenset[str]:
    """The transactions that may have written to history and have not ended.

    An INSERT locks the table before it takes an id, and the lock goes after the commit is visible.
    """
    rows = await conn.execute(
        text("""
select virtualtransaction from pg_locks
where locktype = 'relation' and relation = 'history'::regclass and granted
  and database = (select oid from pg_database where datname = current_database())
  and mode = 'RowExclusiveLock'""")
    )
    return frozenset(rows.scalars())


async def behind(conn: AsyncConnection, upto: int) -> list[UUID]:
    """The subscriptions that have not been told of history up to `upto`."""
    rows = await conn.execute(
        select(subscriptions.c.id)
        .where(subscriptions.c.enabled, subscriptions.c.after_history < upto)
        .order_by(subscriptions.c.after_history)
    )
    return list(rows.scalars())


async def lines(
    conn: AsyncConnection, kinds: Sequence[str], *, after: int, upto: int, limit: int
) -> list[dict[str, Any]]:
    """Lines of history of some kinds with `after` < id <= `upto`, in order."""
    rows = await conn.execute(
        select(history)
        .where(history.c.id > after, history.c.id <= upto, history.c.kind.in_(list(kinds)))
        .order_by(history.c.id)
        .limit(limit)
    )
    return [dict(row) for row in rows.mappings()]
