"""Deliver again: one delivery, or everything that was given up."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.errors import Conflict, NotFound
from orchestrator.store import deliveries, history, subscriptions


async def redeliver(
    conn: AsyncConnection,
    *,
    subscription_id: UUID,
    now: datetime,
    delivery_id: UUID | None = None,
    since: datetime | None = None,
) -> int:
    """Make due `delivery_id`, whatever became of it, or all that were given up (`since`).

    Same `webhook-id`, same bytes, a fresh schedule. Returns how many. Raises NotFound, Conflict
    when the subscription is disabled.
    """
    row = await subscriptions.get(conn, subscription_id, lock=True)
    if row is None:
        raise NotFound("there is no such subscription")
    if not row["enabled"]:
        raise Conflict("the subscription is disabled: enable it first")
    again = await deliveries.again(
        conn, subscription_id, delivery_id=delivery_id, since=since, now=now
    )
    if delivery_id is not None and not again:
        raise NotFound("there is no such delivery")
    if again:
        await history.append(
            conn,
            "subscription.redelivered",
            at=now,
            subscription=str(subscription_id),
            deliveries=len(again),
        )
    return len(again)
