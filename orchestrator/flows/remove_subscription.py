"""End a subscription and forget what was delivered to it."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.errors import NotFound
from orchestrator.store import history, subscriptions


async def remove_subscription(
    conn: AsyncConnection, *, subscription_id: UUID, now: datetime
) -> None:
    """Delete it with its deliveries and their log. Raises NotFound."""
    await subscriptions.get(conn, subscription_id, lock=True)
    if not await subscriptions.remove(conn, subscription_id):
        raise NotFound("there is no such subscription")
    await history.append(conn, "subscription.removed", at=now, subscription=str(subscription_id))
