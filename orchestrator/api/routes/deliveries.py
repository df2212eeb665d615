"""Deliveries: what was told to a subscription, every attempt, and once more."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field

from orchestrator.api.paging import Page, Paging
from orchestrator.api.parts import Avtale, reach
from orchestrator.api.problems import responses
from orchestrator.api.reading import read_one, read_page
from orchestrator.api.routes.subscriptions import get_subscription
from orchestrator.api.shapes import In, Out, When
from orchestrator.clock import database_now
from orchestrator.db import transaction
from orchestrator.flows.ping_subscription import ping_subscription
from orchestrator.flows.redeliver import redeliver
from orchestrator.models.outbound import deliveries
from orchestrator.store import deliveries as store
from orchestrator.store import listing

router = APIRouter(prefix="/api/subscriptions", tags=["subscriptions"])


class Redelivery(In):
    """Which of the deliveries that were given up."""

    since: When | None = Field(None, description="given up at this instant or later; else all")


class Redelivered(Out):
    """How many will be delivered again."""

    deliveries: int


class Attempt(Out):
    """One attempt. `status` is null when nobody answered; `detail` then says what was wrong."""

    at: datetime
    status: int | None
    millis: int | None
    detail: dict[str, Any]


class Delivery(Out):
    """One event on its way to one subscription. `id` is the `webhook-id` of every attempt."""

    id: UUID
    subscription_id: UUID
    history_id: int = Field(description="the `id` of the event; it grows with time")
    kind: str
    state: Literal["pending", "delivered", "failed"]
    attempt: int
    due_at: datetime
    created_at: datetime
    settled_at: datetime | None


class WholeDelivery(Delivery):
    """A delivery with what it says and every attempt."""

    body: str
    attempts: list[Attempt]


@router.get(
    "/{subscription_id}/deliveries",
    dependencies=[reach("subscriptions:read")],
    summary="List deliveries",
    responses=responses(404),
)
async def list_deliveries(
    app: Avtale,
    subscription_id: UUID,
    wanted: Paging,
    state: Literal["pending", "delivered", "failed"] | None = None,
) -> Page[Delivery]:
    """The newest first. Settled ones are kept for thirty days."""
    await get_subscription(app, subscription_id)
    conditions = [deliveries.c.subscription_id == subscription_id]
    if state is not None:
        conditions.append(deliveries.c.state == state)
    found = await read_page(app, listing.DELIVERIES, deliveries.c.id, wanted, *conditions)
    return Page[Delivery].model_validate(found)


@router.get(
    "/{subscription_id}/deliveries/{delivery_id}",
    dependencies=[reach("subscriptions:read")],
    summary="Read a delivery",
    responses=responses(404),
)
async def get_delivery(app: Avtale, subscription_id: UUID, delivery_id: UUID) -> WholeDelivery:
    """One delivery, what it says, and every attempt."""
    found = (deliveries.c.id == delivery_id) & (deliveries.c.subscription_id == subscription_id)
    row = await read_one(app, listing.DELIVERIES, found, "delivery")
    async with transaction(app.engine) as conn:
        log = await store.attempts_of(conn, [delivery_id])
    return WholeDelivery.model_validate(
        row | {"body": bytes(row["body"]).decode(), "attempts": [dict(one) for one in log]}
    )


@router.post(
    "/{subscription_id}/deliveries/{delivery_id}/redeliver",
    status_code=202,
    dependencies=[reach("subscriptions:write")],
    summary="Deliver again",
    responses=responses(404, 409),
)
async def redeliver_one(app: Avtale, subscription_id: UUID, delivery_id: UUID) -> WholeDelivery:
    """Whatever became of it: under the same id, with the same bytes."""
    async with transaction(app.engine) as conn:
        now = await database_now(conn)
        await redeliver(conn, subscription_id=subscription_id, delivery_id=delivery_id, now=now)
    return await get_delivery(app, subscription_id, delivery_id)


@router.post(
    "/{subscription_id}/test",
    status_code=202,
    dependencies=[reach("subscriptions:write")],
    summary="Send a test event",
    responses=responses(404, 409),
)
async def test_subscription(app: Avtale, subscription_id: UUID) -> WholeDelivery:
    """A `subscription.test` by the same road as real events; look at the delivery to see how it
    went."""
    async with transaction(app.engine) as conn:
        now = await database_now(conn)
        made = await ping_subscription(conn, subscription_id=subscription_id, now=now)
    return await get_delivery(app, subscription_id, made)


@router.post(
    "/{subscription_id}/redeliver",
    dependencies=[reach("subscriptions:write")],
    summary="Deliver again what was given up",
    responses=responses(404, 409),
)
async def redeliver_failed(
    app: Avtale, subscription_id: UUID, body: Redelivery | None = None
) -> Redelivered:
    """Under the same ids, with the same bytes."""
    since = (body or Redelivery()).since
    async with transaction(app.engine) as conn:
        now = await database_now(conn)
        count = await redeliver(conn, subscription_id=subscription_id, since=since, now=now)
    return Redelivered(deliveries=count)
