"""Engagements: what prospects did, with its grade. Append-only."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from fastapi import APIRouter

from orchestrator.api.paging import Page, Paging
from orchestrator.api.parts import Avtale, reach
from orchestrator.api.problems import responses
from orchestrator.api.reading import read_one, read_page
from orchestrator.api.shapes import Out
from orchestrator.models.engagement import engagements
from orchestrator.store import listing

router = APIRouter(prefix="/api/engagements", tags=["engagements"])


class Engagement(Out):
    """One thing that a prospect did, or that a machine did in their name."""

    id: UUID
    prospect_id: UUID
    enrollment_id: UUID | None
    message_id: UUID | None
    provider_event_id: UUID | None
    kind: str
    grade: Literal["machine", "ambiguous", "human"]
    meaning: str | None
    reasons: list[str]
    revises: UUID | None
    happened_at: datetime
    recorded_at: datetime


@router.get("", dependencies=[reach("engagements:read")], summary="List engagements")
async def list_engagements(
    app: Avtale,
    wanted: Paging,
    prospect_id: UUID | None = None,
    enrollment_id: UUID | None = None,
    grade: Literal["machine", "ambiguous", "human"] | None = None,
) -> Page[Engagement]:
    """The newest first."""
    filters = {
        engagements.c.prospect_id: prospect_id,
        engagements.c.enrollment_id: enrollment_id,
        engagements.c.grade: grade,
    }
    conditions = [column == value for column, value in filters.items() if value is not None]
    found = await read_page(app, listing.ENGAGEMENTS, engagements.c.id, wanted, *conditions)
    return Page[Engagement].model_validate(found)


@router.get(
    "/{engagement_id}",
    dependencies=[reach("engagements:read")],
    summary="Read an engagement",
    responses=responses(404),
)
async def get_engagement(app: Avtale, engagement_id: UUID) -> Engagement:
    """One engagement and the reasons for its grade."""
    row = await read_one(app, listing.ENGAGEMENTS, engagements.c.id == engagement_id, "engagement")
    return Engagement.model_validate(row)
