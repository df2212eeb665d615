"""Send a test event to one subscription, by the same road as the real ones."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.errors import Conflict, NotFound
from orchestrator.ids import uuid7
from orchestrator.rules import outbound_events
from orchestrator.store import deliveries, history, subscriptions


async def ping_subscription(conn: AsyncConnection, *, subscription_id: UUID, now: datetime) -> UUID:
    """The delivery of a `subscription.test` event. Raises NotFound, Conflict when disabled."""
    row = await subscriptions.get(conn, subscription_id, lock=True)
    if row is None:
        raise NotFound("there is no such subscription")
    if not row["enabled"]:
        raise Conflict("the subscription is disabled: enable it first")
    line = await history.append(
        conn, "subscription.tested", at=now, subscription=str(subscription_id)
    )
    made = uuid7()
    delivery = {
        "id": made,
        "subscription_id": subscription_id,
        "history_id": line,
        "kind": outbound_events.TEST,
        "body": outbound_events.test_body(line, now, subscription_id),
        "due_at": now,
        "created_at": now,
    }
    await deliveries.add_many(conn, [delivery])
    return made
