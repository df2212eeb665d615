"""Unlocks: the calls that a human engagement opened. Made by the gate, never by a request."""

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter

from orchestrator.api.paging import Page, Paging
from orchestrator.api.parts import Avtale, reach
from orchestrator.api.problems import responses
from orchestrator.api.reading import read_one, read_page
from orchestrator.api.shapes import Out
from orchestrator.models.engagement import unlocks
from orchestrator.store import listing

router = APIRouter(prefix="/api/unlocks", tags=["unlocks"])


class Unlock(Out):
    """A call that may be booked, and the engagement that earned it."""

    id: UUID
    engagement_id: UUID
    prospect_id: UUID
    enrollment_id: UUID
    host_id: UUID
    minutes: int
    created_at: datetime


@router.get("", dependencies=[reach("unlocks:read", scoped=True)], summary="List unlocks")
async def list_unlocks(
    app: Avtale, wanted: Paging, prospect_id: UUID | None = None, enrollment_id: UUID | None = None
) -> Page[Unlock]:
    """The newest first."""
    filters = {unlocks.c.prospect_id: prospect_id, unlocks.c.enrollment_id: enrollment_id}
    conditions = [column == value for column, value in filters.items() if value is not None]
    found = await read_page(app, listing.UNLOCKS, unlocks.c.id, wanted, *conditions)
    return Page[Unlock].model_validate(found)


@router.get(
    "/{unlock_id}",
    dependencies=[reach("unlocks:read")],
    summary="Read an unlock",
    responses=responses(404),
)
async def get_unlock(app: Avtale, unlock_id: UUID) -> Unlock:
    """One unlock."""
    row = await read_one(app, listing.UNLOCKS, unlocks.c.id == unlock_id, "unlock")
    return Unlock.model_validate(row)
