"""Provider events: what came back, as it came. The unmatched ones wait for somebody to look."""

import asyncio
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter

from orchestrator.api.paging import Page, Paging
from orchestrator.api.parts import Avtale, reach
from orchestrator.api.problems import responses
from orchestrator.api.reading import read_one, read_page
from orchestrator.api.shapes import Out
from orchestrator.db import transaction
from orchestrator.errors import NotFound
from orchestrator.models.engagement import provider_events
from orchestrator.rules import mail_reading
from orchestrator.rules.mail_shown import shown as show
from orchestrator.store import inbox, listing, threads

router = APIRouter(prefix="/api/events", tags=["events"])


class ProviderEvent(Out):
    """One thing that a provider told us. `size` is of the raw payload, which stays here."""

    id: UUID
    source: str
    external_id: str
    kind: str
    state: str
    attempt: int
    error: str | None
    prospect_id: UUID | None
    message_id: UUID | None
    detail: dict[str, Any]
    size: int
    received_at: datetime
    handled_at: datetime | None


@router.get("", dependencies=[reach("events:read")], summary="List provider events")
async def list_events(
    app: Avtale,
    wanted: Paging,
    state: Literal["stored", "handled", "unmatched", "failed"] = "unmatched",
    prospect_id: UUID | None = None,
) -> Page[ProviderEvent]:
    """The newest first; those that matched nobody unless another state is asked for."""
    conditions = [provider_events.c.state == state]
    if prospect_id is not None:
        conditions.append(provider_events.c.prospect_id == prospect_id)
    found = await read_page(app, listing.EVENTS, provider_events.c.id, wanted, *conditions)
    return Page[ProviderEvent].model_validate(found)


@router.get(
    "/{event_id}",
    dependencies=[reach("events:read")],
    summary="Read a provider event",
    responses=responses(404),
)
async def get_event(app: Avtale, event_id: UUID) -> ProviderEvent:
    """One provider event, without its raw payload."""
    row = await read_one(app, listing.EVENTS, provider_events.c.id == event_id, "provider event")
    return ProviderEvent.model_validate(row)


class MailShown(Out):
    """One mail as a reader may look at it. `written` is what the person wrote, without quotes and
    signature; `html` is cleaned: no scripts, forms, images or other requests. Show it in a
    sandboxed frame all the same."""

    subject: str
    sender: str
    written: str
    text: str
    html: str


@router.get(
    "/{event_id}/mail",
    dependencies=[reach("events:read")],
    summary="Look at a mail that came back",
    responses=responses(404),
)
async def get_mail(app: Avtale, event_id: UUID) -> MailShown:
    """The mail of a provider event of kind `mail`; the raw one is kept as it came."""
    async with transaction(app.engine) as conn:
        event = await inbox.get(conn, event_id)
        if event is None or event["kind"] != "mail":
            raise NotFound("there is no such mail")
        owner = event["prospect_id"]
        sent = await threads.sent_texts(conn, owner) if owner is not None else []
    raw = bytes(event["raw"])
    read, shown = await asyncio.to_thread(lambda: (mail_reading.read(raw, sent=sent), show(raw)))
    return MailShown(
        subject=shown.subject,
        sender=shown.sender,
        written=read.text,
        text=shown.text,
        html=shown.html,
    )
