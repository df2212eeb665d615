"""Engagements: what prospects did, with its grade. Append-only."""

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
from orchestrator.flows.explain_engagement import explain_engagement
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


@router.get("", dependencies=[reach("engagements:read", scoped=True)], summary="List engagements")
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


class Verdict(Out):
    """One verdict on what was seen. `because` has its reasons in words."""

    id: UUID
    recorded_at: datetime
    kind: str
    grade: Literal["machine", "ambiguous", "human"]
    meaning: str | None
    reasons: list[str]
    because: list[str]
    revises: UUID | None
    stands: bool


class Explanation(Out):
    """What was seen, every verdict on it, oldest first, and what they led to."""

    asked: UUID
    prospect_id: UUID
    message_id: UUID | None
    enrollment_id: UUID | None
    happened_at: datetime
    seen: dict[str, Any] | None
    verdicts: list[Verdict]
    led_to: list[dict[str, Any]]
    unlock: dict[str, Any] | None
    tasks: list[dict[str, Any]]


@router.get(
    "/{engagement_id}/explanation",
    dependencies=[reach("engagements:read")],
    summary="Explain an engagement",
    responses=responses(404),
)
async def explain(app: Avtale, engagement_id: UUID) -> Explanation:
    """Why it has its grade, with which facts, what revised it and what it led to."""
    async with transaction(app.engine) as conn:
        found = await explain_engagement(conn, engagement_id)
    return Explanation.model_validate(found, from_attributes=True)
