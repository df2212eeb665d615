"""Disable a subscription whose receiver is gone or has failed for a day, and tell somebody."""

from datetime import datetime
from urllib.parse import urlsplit

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.rules import delivery
from orchestrator.store import history, subscriptions, tasks

_WORDS = {
    delivery.GONE: "answered 410: it does not want them any more",
    delivery.FAILING: "has failed for a day",
}


async def disable_subscription(
    conn: AsyncConnection, row: RowMapping, *, reason: str, now: datetime
) -> bool:
    """Nothing is delivered until it is enabled again; what waits and what happens meanwhile is
    kept. The row is locked by the caller. False when it was disabled before."""
    if not row["enabled"]:
        return False
    await subscriptions.change(conn, row["id"], {"enabled": False, "disabled_reason": reason})
    await history.append(
        conn, "subscription.disabled", at=now, subscription=str(row["id"]), reason=reason
    )
    if reason in _WORDS:
        await tasks.open_task(
            conn,
            kind="subscription_disabled",
            title=f"The receiver {urlsplit(row['url']).hostname} of webhooks {_WORDS[reason]}. "
            f"Mend it, then `avtale webhooks enable {row['id']}`: what it missed is delivered",
            prospect_id=None,
            detail={"subscription": str(row["id"]), "reason": reason},
            now=now,
        )
    return True
