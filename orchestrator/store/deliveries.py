"""Deliveries: what is to reach a subscription, leased while it is tried, and every attempt."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Integer, RowMapping, and_, bindparam, delete, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.models.base import Instant
from orchestrator.models.outbound import attempts, deliveries, subscriptions


async def add_many(conn: AsyncConnection, rows: Sequence[dict[str, Any]]) -> int:
    """Add deliveries; one that exists (subscription, line of history) stays. How many were new."""
    if not rows:
        return 0
    made = await conn.execute(
        insert(deliveries)
        .values(list(rows))
        .on_conflict_do_nothing(index_elements=["subscription_id", "history_id"])
        .returning(deliveries.c.id)
    )
    return len(made.all())


def _free() -> Any:
    return or_(
        deliveries.c.lease_until.is_(None), deliveries.c.lease_until < func.clock_timestamp()
    )


async def waiting(conn: AsyncConnection, now: datetime) -> list[UUID]:
    """The subscriptions that have something due, each asked by itself."""
    due = (
        select(1)
        .where(
            deliveries.c.subscription_id == subscriptions.c.id,
            deliveries.c.state == "pending",
            deliveries.c.due_at <= now,
            _free(),
        )
        .exists()
    )
    rows = await conn.execute(select(subscriptions.c.id).where(subscriptions.c.enabled, due))
    return list(rows.scalars())


async def lease(
    conn: AsyncConnection,
    subscription_id: UUID,
    *,
    now: datetime,
    most: int,
    seconds: float,
) -> Sequence[RowMapping]:
    """Take at most `most` deliveries that are due, for `seconds`: oldest first.

    `lease_until` is the fence: who comes back after another took over finds another one.
    """
    chosen = (
        select(deliveries.c.id)
        .where(
            deliveries.c.subscription_id == subscription_id,
            deliveries.c.state == "pending",
            deliveries.c.due_at <= now,
            _free(),
        )
        .order_by(deliveries.c.due_at, deliveries.c.history_id)
        .limit(most)
        .with_for_update(skip_locked=True)
        .cte("chosen")
    )
    rows = await conn.execute(
        update(deliveries)
        .where(deliveries.c.id == chosen.c.id)
        .values(
            attempt=deliveries.c.attempt + 1,
            lease_until=func.clock_timestamp() + timedelta(seconds=seconds),
        )
        .returning(
            deliveries.c.id,
            deliveries.c.history_id,
            deliveries.c.body,
            deliveries.c.attempt,
            deliveries.c.lease_until,
        )
    )
    return sorted(rows.mappings().all(), key=lambda row: int(row["history_id"]))


async def settle(
    conn: AsyncConnection,
    delivery_id: UUID,
    *,
    lease_until: datetime,
    state: str,
    due_at: datetime | None,
    now: datetime,
) -> bool:
    """Write how an attempt ended. False when the lease was lost meanwhile."""
    written = await conn.execute(
        update(deliveries)
        .where(
            deliveries.c.id == delivery_id,
            deliveries.c.state == "pending",
            deliveries.c.lease_until == lease_until,
        )
        .values(
            state=state,
            due_at=due_at if due_at is not None else deliveries.c.due_at,
            lease_until=None,
            settled_at=None if state == "pending" else now,
        )
    )
    return written.rowcount > 0


# A delivery that was removed meanwhile has no log.
_LOG = text("""
insert into attempts (delivery_id, at, status, millis, detail)
select id, :at, :status, :millis, :detail from deliveries where id = :id for key share
""").bindparams(
    bindparam("at", type_=Instant),
    bindparam("status", type_=Integer),
    bindparam("millis", type_=Integer),
    bindparam("detail", type_=JSONB),
)


async def log(
    conn: AsyncConnection,
    delivery_id: UUID,
    *,
    at: datetime,
    status: int | None,
    millis: int,
    detail: dict[str, Any],
) -> None:
    """Note an attempt. `millis` is how long it took; no word of the answer is kept."""
    await conn.execute(
        _LOG,
        {"id": delivery_id, "at": at, "status": status, "millis": millis, "detail": detail},
    )


async def attempts_of(conn: AsyncConnection, delivery_ids: Sequence[UUID]) -> Sequence[RowMapping]:
    """The attempts of some deliveries, oldest first."""
    rows = await conn.execute(
        select(attempts)
        .where(attempts.c.delivery_id.in_(list(delivery_ids)))
        .order_by(attempts.c.id)
    )
    return rows.mappings().all()


async def recent(
    conn: AsyncConnection, subscription_id: UUID, *, state: str | None, limit: int
) -> Sequence[RowMapping]:
    """The newest deliveries of a subscription, without their bodies."""
    columns = [column for column in deliveries.c if column.name != "body"]
    query = select(*columns).where(deliveries.c.subscription_id == subscription_id)
    if state is not None:
        query = query.where(deliveries.c.state == state)
    rows = await conn.execute(query.order_by(deliveries.c.id.desc()).limit(limit))
    return rows.mappings().all()


async def again(
    conn: AsyncConnection,
    subscription_id: UUID,
    *,
    delivery_id: UUID | None = None,
    since: datetime | None = None,
    now: datetime,
) -> list[UUID]:
    """Make deliveries due from the first attempt on: one, or all that were given up since an
    instant.

    They keep their ids and bodies, so that a receiver knows them again.
    """
    failed = [deliveries.c.state == "failed"]
    if since is not None:
        failed.append(deliveries.c.settled_at >= since)
    which = deliveries.c.id == delivery_id if delivery_id is not None else and_(*failed)
    rows = await conn.execute(
        update(deliveries)
        .where(deliveries.c.subscription_id == subscription_id, which)
        .values(state="pending", attempt=0, due_at=now, lease_until=None, settled_at=None)
        .returning(deliveries.c.id)
    )
    return list(rows.scalars())


async def hasten(conn: AsyncConnection, subscription_id: UUID, *, now: datetime) -> None:
    """Everything that waits for its next attempt is due now, from the first attempt on."""
    await conn.execute(
        update(deliveries)
        .where(deliveries.c.subscription_id == subscription_id, deliveries.c.state == "pending")
        .values(attempt=0, due_at=now, lease_until=None)
    )


async def forget(conn: AsyncConnection, older_than: timedelta) -> int:
    """Delete deliveries that were settled long ago, with their attempts; how many."""
    old = select(deliveries.c.id).where(
        deliveries.c.state != "pending", deliveries.c.settled_at < func.now() - older_than
    )
    await conn.execute(delete(attempts).where(attempts.c.delivery_id.in_(old)))
    gone = await conn.execute(delete(deliveries).where(deliveries.c.id.in_(old)))
    return gone.rowcount


async def give_up(conn: AsyncConnection, subscription_id: UUID, *, now: datetime) -> None:
    """Everything that waits is settled as failed; it can still be redelivered."""
    await conn.execute(
        update(deliveries)
        .where(deliveries.c.subscription_id == subscription_id, deliveries.c.state == "pending")
        .values(state="failed", settled_at=now, lease_until=None)
    )
