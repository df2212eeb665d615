"""Subscriptions: who is told of events by webhook."""

from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import Field

from orchestrator.api.paging import Page, Paging
from orchestrator.api.parts import Avtale, reach
from orchestrator.api.problems import responses
from orchestrator.api.reading import read_one, read_page
from orchestrator.api.shapes import In, Out, Short
from orchestrator.clock import database_now
from orchestrator.db import transaction
from orchestrator.flows.change_subscription import change_subscription as change
from orchestrator.flows.create_subscription import create_subscription
from orchestrator.flows.remove_subscription import remove_subscription
from orchestrator.flows.rotate_secret import rotate_secret
from orchestrator.models.outbound import subscriptions
from orchestrator.store import listing
from orchestrator.wiring import App

router = APIRouter(prefix="/api/subscriptions", tags=["subscriptions"])

_Kinds = Annotated[
    list[Short],
    Field(
        min_length=1,
        max_length=50,
        description="`*`, an area such as `booking.*`, or single kinds such as `message.sent`",
        examples=[["booking.*", "unlock.created"]],
    ),
]
_Url = Annotated[
    str,
    Field(min_length=1, max_length=2000, examples=["https://receiver.example/hooks/avtale"]),
]


class Subscription(Out):
    """A receiver and what it is told. `after_history` is how far it has been told."""

    id: UUID
    url: str
    about: str
    kinds: list[str]
    enabled: bool
    disabled_reason: str | None = Field(description="`failing`, `gone` or `by hand`")
    failing_since: datetime | None
    previous_until: datetime | None = Field(description="until then the old secret signs along")
    after_history: int
    created_at: datetime


class Secret(Out):
    """A secret that is shown this once. It verifies by the Standard Webhooks scheme."""

    id: UUID
    secret: str = Field(description="whsec_ and base64")


class NewSubscription(In):
    """Where events go from now on, and which."""

    url: _Url
    kinds: _Kinds
    about: Short = ""


class SubscriptionChange(In):
    """What to change; the rest stays. Enabling delivers what was missed."""

    url: _Url | None = None
    kinds: _Kinds | None = None
    about: Short | None = None
    enabled: bool | None = None
    skip_missed: bool = Field(False, description="with `enabled`: do not deliver what was missed")


class Rotation(In):
    """How long both secrets sign."""

    overlap_hours: int = Field(24, ge=0, le=168)


@router.get("", dependencies=[reach("subscriptions:read")], summary="List subscriptions")
async def list_subscriptions(app: Avtale, wanted: Paging) -> Page[Subscription]:
    """The newest first."""
    found = await read_page(app, listing.SUBSCRIPTIONS, subscriptions.c.id, wanted)
    return Page[Subscription].model_validate(found)


@router.post(
    "",
    status_code=201,
    dependencies=[reach("subscriptions:write")],
    summary="Subscribe to events",
)
async def add_subscription(app: Avtale, body: NewSubscription) -> Secret:
    """Of what begins after the answer, every event is delivered at least once. The secret is in
    this answer only, so that no Idempotency-Key is taken: it would have to be stored."""
    now = await _now(app)
    made = await create_subscription(app, url=body.url, kinds=body.kinds, about=body.about, now=now)
    return Secret.model_validate(made)


@router.get(
    "/{subscription_id}",
    dependencies=[reach("subscriptions:read")],
    summary="Read a subscription",
    responses=responses(404),
)
async def get_subscription(app: Avtale, subscription_id: UUID) -> Subscription:
    """One subscription, without its secret."""
    row = await read_one(
        app, listing.SUBSCRIPTIONS, subscriptions.c.id == subscription_id, "subscription"
    )
    return Subscription.model_validate(row)


@router.patch(
    "/{subscription_id}",
    dependencies=[reach("subscriptions:write")],
    summary="Change, enable or disable a subscription",
    responses=responses(404),
)
async def change_subscription(
    app: Avtale, subscription_id: UUID, body: SubscriptionChange
) -> Subscription:
    """Set what is given; the rest stays."""
    given = {name: value for name, value in body.model_dump().items() if value is not None}
    await change(app, subscription_id=subscription_id, now=await _now(app), **given)
    return await get_subscription(app, subscription_id)


@router.delete(
    "/{subscription_id}",
    status_code=204,
    dependencies=[reach("subscriptions:write")],
    summary="Remove a subscription",
    responses=responses(404),
)
async def delete_subscription(app: Avtale, subscription_id: UUID) -> Response:
    """With its deliveries and their log."""
    async with transaction(app.engine) as conn:
        await remove_subscription(
            conn, subscription_id=subscription_id, now=await database_now(conn)
        )
    return Response(status_code=204)


@router.post(
    "/{subscription_id}/rotate",
    dependencies=[reach("subscriptions:write")],
    summary="Make a new secret",
    responses=responses(404),
)
async def rotate_subscription_secret(
    app: Avtale, subscription_id: UUID, body: Rotation | None = None
) -> Secret:
    """For the overlap every delivery carries a signature by each of the two secrets."""
    overlap = timedelta(hours=(body or Rotation()).overlap_hours)
    async with transaction(app.engine) as conn:
        now = await database_now(conn)
        made = await rotate_secret(
            conn, app.keys, subscription_id=subscription_id, now=now, overlap=overlap
        )
    return Secret.model_validate(made)


async def _now(app: App) -> datetime:
    async with transaction(app.engine) as conn:
        return await database_now(conn)
