"""Senders: the accounts that messages leave from. Secrets go in and never come out."""

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import Field, SecretStr
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.api import idempotency
from orchestrator.api.paging import Page, Paging
from orchestrator.api.parts import Avtale, Caller, reach
from orchestrator.api.problems import responses
from orchestrator.api.reading import read_one, read_page
from orchestrator.api.shapes import Count, In, Name, Out, Short
from orchestrator.clock import database_now
from orchestrator.db import transaction
from orchestrator.flows.pause_sender import pause_sender as pause
from orchestrator.flows.resume_sender import resume_sender as resume
from orchestrator.flows.save_sender import save_sender
from orchestrator.models.messages import senders
from orchestrator.store import listing

router = APIRouter(prefix="/api/senders", tags=["senders"])


class Hours(In):
    """Days and hours on the sender's own clock."""

    days: str = Field("mon-fri", max_length=60, examples=["mon-fri"])
    hours: str = Field(max_length=20, examples=["08:00-16:00"])


class Sender(Out):
    """One account with its pace and what its lane is doing."""

    id: UUID
    name: str
    channel: str
    address: str
    display_name: str
    settings: dict[str, Any]
    has_secrets: bool
    daily_cap: int
    gap_seconds: int
    gap_jitter_seconds: int
    zone: str
    hours: dict[str, str]
    paused_at: datetime | None
    pause_reason: str | None
    free_at: datetime | None = Field(description="the minimum gap ends then")
    parked_until: datetime | None
    park_reason: str | None
    day: date | None
    used: int | None = Field(description="messages handed over on `day`, which the cap counts")
    created_at: datetime


class SenderChange(In):
    """What to change. Values of `settings` and `secrets` are merged; null takes one out."""

    address: Name | None = None
    display_name: Short | None = None
    settings: dict[str, Any] | None = None
    secrets: dict[Name, SecretStr | None] | None = None
    daily_cap: Count | None = None
    gap_seconds: Count | None = None
    gap_jitter_seconds: Count | None = None
    zone: Name | None = None
    hours: Hours | None = None


class NewSender(SenderChange):
    """A new account."""

    name: Annotated[Name, Field(max_length=80)]
    channel: Name = "email"
    address: Name


class PauseSender(In):
    """Why nothing leaves by it."""

    reason: Short = "by API"


def _split(body: SenderChange) -> tuple[dict[str, Any], dict[str, str | None]]:
    """The values that were given, and the secrets as text."""
    values = body.model_dump(exclude_unset=True, exclude={"name", "secrets"})
    secrets = {
        name: secret.get_secret_value() if secret else None
        for name, secret in (body.secrets or {}).items()
    }
    return {name: value for name, value in values.items() if value is not None}, secrets


@router.get("", dependencies=[reach("senders:read")], summary="List senders")
async def list_senders(app: Avtale, wanted: Paging) -> Page[Sender]:
    """The newest first."""
    return Page[Sender].model_validate(await read_page(app, listing.SENDERS, senders.c.id, wanted))


@router.post(
    "",
    status_code=201,
    response_model=Sender,
    summary="Add a sender",
    responses=responses(409),
)
async def add_sender(
    app: Avtale,
    request: Request,
    body: NewSender,
    caller: Annotated[Caller, reach("senders:write")],
    key: idempotency.Key = None,
) -> Response:
    """Secrets are sealed at once and shown to nobody."""
    values, secrets = _split(body)

    async def work(conn: AsyncConnection, now: datetime) -> Sender:
        made = await save_sender(
            conn,
            app.keys,
            app.channels,
            name=body.name,
            values=values,
            secrets=secrets,
            now=now,
            new=True,
        )
        row = await listing.one(conn, listing.SENDERS, senders.c.id == made)
        return Sender.model_validate(row)

    return await idempotency.create(request, caller, key, work)


@router.get(
    "/{name}",
    dependencies=[reach("senders:read")],
    summary="Read a sender",
    responses=responses(404),
)
async def get_sender(app: Avtale, name: str) -> Sender:
    """One sender by its name."""
    row = await read_one(app, listing.SENDERS, senders.c.name == name, "sender")
    return Sender.model_validate(row)


@router.patch(
    "/{name}",
    dependencies=[reach("senders:write")],
    summary="Change a sender",
    responses=responses(404, 409),
)
async def change_sender(app: Avtale, name: str, body: SenderChange) -> Sender:
    """Set what is given; the rest stays."""
    values, secrets = _split(body)
    async with transaction(app.engine) as conn:
        await save_sender(
            conn,
            app.keys,
            app.channels,
            name=name,
            values=values,
            secrets=secrets,
            now=await database_now(conn),
            new=False,
        )
    return await get_sender(app, name)


@router.post(
    "/{name}/pause",
    dependencies=[reach("senders:write")],
    summary="Pause a sender",
    responses=responses(404),
)
async def pause_sender(app: Avtale, name: str, body: PauseSender | None = None) -> Sender:
    """Nothing leaves by it until it is resumed."""
    reason = (body or PauseSender()).reason
    async with transaction(app.engine) as conn:
        await pause(conn, name=name, reason=reason, now=await database_now(conn))
    return await get_sender(app, name)


@router.post(
    "/{name}/resume",
    dependencies=[reach("senders:write")],
    summary="Resume a sender",
    responses=responses(404),
)
async def resume_sender(app: Avtale, name: str) -> Sender:
    """It goes on, its lane unparked."""
    async with transaction(app.engine) as conn:
        await resume(conn, name=name, now=await database_now(conn))
    app.ring("send")
    return await get_sender(app, name)
