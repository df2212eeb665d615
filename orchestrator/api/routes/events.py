"""Provider events: what came back, as it came. The unmatched ones wait for somebody to look."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter

from orchestrator.api.paging import Page, Paging
from orchestrator.api.parts import Avtale, reach
from orchestrator.api.problems import responses
from orchestrator.api.reading import read_one, read_page
from orchestrator.api.shapes import Out
from orchestrator.models.engagement import provider_events
from orchestrator.store import listing

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
