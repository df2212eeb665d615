"""Deliver what is due to one subscription: lease, POST outside of any transaction, settle.

At least once: a worker that dies after the receiver took a delivery leaves a lease that runs out,
and another one delivers it again under the same `webhook-id`.
"""

import asyncio
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.db import transaction
from orchestrator.egress import Answer, Egress, NoAnswer, millis_since
from orchestrator.flows.disable_subscription import disable_subscription
from orchestrator.keys import Keys
from orchestrator.rules import delivery, standard_webhook
from orchestrator.rules.egress import Refused
from orchestrator.store import deliveries, subscriptions
from orchestrator.wiring import App

AT_ONCE = 8  # deliveries to one subscription at the same time, per process
_LEAST_LEASE = 20.0  # seconds; longer than an attempt can take


@dataclass(frozen=True, slots=True)
class _Done:
    """One attempt: what was answered, or what was in the way; how long it took."""

    answer: Answer | None
    trouble: str
    millis: int

    @property
    def status(self) -> int | None:
        return self.answer.status if self.answer else None


async def deliver_webhooks(
    app: App, egress: Egress, subscription_id: UUID, *, now: datetime, wall: datetime
) -> int:
    """Try what is due to one subscription, a few at once; one only while its receiver fails.

    `now` is the database's clock, which due times follow; `wall` the true time, which a receiver
    compares the signature's timestamp with. Returns how many were tried.
    """
    async with transaction(app.engine) as conn:
        row = await subscriptions.get(conn, subscription_id)
        if row is None or not row["enabled"]:
            return 0
        most = AT_ONCE if row["failing_since"] is None else 1
        seconds = max(_LEAST_LEASE, app.settings.lease_seconds)
        leased = await deliveries.lease(conn, subscription_id, now=now, most=most, seconds=seconds)
    keys = signing_keys(app.keys, row, now)
    tries = [_try(app, egress, row, one, keys, now, wall) for one in leased]
    for outcome in await asyncio.gather(*tries, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome  # the others are settled; the lease of this one runs out
    return len(leased)


def signing_keys(keys: Keys, row: RowMapping, now: datetime) -> list[bytes]:
    """The live secrets of a subscription: the current one, and the one before while it overlaps."""
    secrets = keys.unseal(row["secrets"])
    live = [secrets["current"]]
    if secrets.get("previous") and row["previous_until"] and now < row["previous_until"]:
        live.append(secrets["previous"])
    return [standard_webhook.key_of(one) for one in live]


async def _try(
    app: App,
    egress: Egress,
    row: RowMapping,
    leased: RowMapping,
    keys: list[bytes],
    now: datetime,
    wall: datetime,
) -> None:
    webhook_id, stamp, body = str(leased["id"]), int(wall.timestamp()), bytes(leased["body"])
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Avtale-Webhooks/1",
        "webhook-id": webhook_id,
        "webhook-timestamp": str(stamp),
        "webhook-signature": " ".join(
            standard_webhook.sign(key, webhook_id, stamp, body) for key in keys
        ),
    }
    started = time.monotonic()
    answer, trouble = None, ""
    try:
        answer = await egress.post(row["url"], headers=headers, body=body)
    except Refused as error:
        trouble = f"refused: {error}"
    except NoAnswer as error:
        trouble = str(error)
    except Exception as error:  # noqa: BLE001 - what broke has failed; unsettled it would come for ever
        trouble = f"broken: {type(error).__name__}"
    done = _Done(answer, trouble, millis_since(started))
    async with transaction(app.engine) as conn:
        await _settle(conn, app.keys, row, leased, done, now + timedelta(milliseconds=done.millis))


async def _settle(
    conn: AsyncConnection,
    keys: Keys,
    seen: RowMapping,
    leased: RowMapping,
    done: _Done,
    now: datetime,
) -> None:
    """Log the attempt and write what it means. The subscription's row is locked before the
    delivery's, and only when something may change in it."""
    smooth = seen["failing_since"] is None and done.status is not None and done.status // 100 == 2
    row = seen if smooth else await subscriptions.get(conn, seen["id"], lock=True)
    if row is None:
        return  # removed meanwhile
    detail = {"trouble": done.trouble} if done.trouble else {}
    await deliveries.log(
        conn, leased["id"], at=now, status=done.status, millis=done.millis, detail=detail
    )
    verdict = delivery.judge(
        attempt=leased["attempt"],
        status=done.status,
        retry_after=done.answer.retry_after if done.answer else None,
        failing_since=row["failing_since"],
        fraction=keys.fraction("webhook", leased["id"]),
        now=now,
    )
    if row["failing_since"] != verdict.failing_since:
        await subscriptions.change(conn, row["id"], {"failing_since": verdict.failing_since})
    if verdict.disable is not None:
        await disable_subscription(conn, row, reason=verdict.disable, now=now)
    await deliveries.settle(
        conn,
        leased["id"],
        lease_until=leased["lease_until"],
        state=verdict.state,
        due_at=verdict.due_at,
        now=now,
    )
