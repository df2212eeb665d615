"""Give a subscription a new secret; the old one signs along for a while."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.errors import NotFound
from orchestrator.flows.create_subscription import NewSubscription, new_secret
from orchestrator.keys import Keys
from orchestrator.store import history, subscriptions

OVERLAP = timedelta(hours=24)


async def rotate_secret(
    conn: AsyncConnection,
    keys: Keys,
    *,
    subscription_id: UUID,
    now: datetime,
    overlap: timedelta = OVERLAP,
) -> NewSubscription:
    """The new secret, told once. For `overlap`, deliveries carry a signature by each of the two, so
    that the receiver changes over when it likes; zero ends the old one at once. Raises NotFound."""
    row = await subscriptions.get(conn, subscription_id, lock=True)
    if row is None:
        raise NotFound("there is no such subscription")
    made = NewSubscription(subscription_id, new_secret())
    old = keys.unseal(row["secrets"])["current"] if overlap else None
    await subscriptions.change(
        conn,
        subscription_id,
        {
            "secrets": keys.seal({"current": made.secret, "previous": old}),
            "previous_until": now + overlap if overlap else None,
        },
    )
    await history.append(
        conn,
        "subscription.secret_rotated",
        at=now,
        subscription=str(subscription_id),
        overlap_seconds=int(overlap.total_seconds()),
    )
    return made
