"""Change a subscription, or enable and disable it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.db import transaction
from orchestrator.errors import NotFound
from orchestrator.flows.create_subscription import known_kinds, reachable
from orchestrator.flows.disable_subscription import disable_subscription
from orchestrator.store import deliveries, history, subscriptions
from orchestrator.wiring import App

BY_HAND = "by hand"


async def change_subscription(
    app: App,
    *,
    subscription_id: UUID,
    now: datetime,
    url: str | None = None,
    kinds: Sequence[str] | None = None,
    about: str | None = None,
    enabled: bool | None = None,
    skip_missed: bool = False,
) -> None:
    """Set what is given. Enabling delivers what was missed, unless `skip_missed`.

    Raises NotFound, and BadInput for a receiver that must not be reached and for unknown kinds.
    """
    values: dict[str, Any] = {}
    if url is not None:
        values["url"] = await reachable(app, url)
    if kinds is not None:
        values["kinds"] = known_kinds(kinds)
    if about is not None:
        values["about"] = about
    async with transaction(app.engine) as conn:
        row = await subscriptions.get(conn, subscription_id, lock=True)
        if row is None:
            raise NotFound("there is no such subscription")
        if values:
            await subscriptions.change(conn, subscription_id, values)
            await _tell(conn, "subscription.changed", subscription_id, now, fields=sorted(values))
        if enabled is False:
            await disable_subscription(conn, row, reason=BY_HAND, now=now)
        elif enabled and not row["enabled"]:
            await _enable(conn, row, skip_missed, now)


async def _enable(conn: AsyncConnection, row: RowMapping, skip: bool, now: datetime) -> None:
    values: dict[str, Any] = {"enabled": True, "disabled_reason": None, "failing_since": None}
    if skip:
        values["after_history"], _ = await subscriptions.newest_history(conn)
        await deliveries.give_up(conn, row["id"], now=now)
    else:
        await deliveries.hasten(conn, row["id"], now=now)
        if row["failing_since"] is not None:
            await deliveries.again(conn, row["id"], since=row["failing_since"], now=now)
    await subscriptions.change(conn, row["id"], values)
    await _tell(conn, "subscription.enabled", row["id"], now, skipped=skip)


async def _tell(
    conn: AsyncConnection, kind: str, subscription_id: UUID, now: datetime, **detail: Any
) -> None:
    await history.append(conn, kind, at=now, subscription=str(subscription_id), **detail)
