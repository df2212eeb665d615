"""The story of one prospect: `avtale why` as JSON."""

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field

from orchestrator.api.parts import Avtale, reach
from orchestrator.api.problems import responses
from orchestrator.api.shapes import Out
from orchestrator.clock import database_now
from orchestrator.db import transaction
from orchestrator.flows.tell_why import tell_why

router = APIRouter(prefix="/api/prospects", tags=["prospects"])


class StoryLine(Out):
    """One line of the story. Without `at` it holds now."""

    at: datetime | None
    text: str
    reason: str
    kind: str = Field("", description="of what happened: `message.sent`, `engagement.recorded` ...")
    channel: str | None = None
    grade: str | None = Field(None, description="of an engagement: human, ambiguous or machine")


class Story(Out):
    """What happened and why, what holds now, and what comes next in each sequence."""

    prospect_id: UUID
    name: str
    zone: str | None
    past: list[StoryLine]
    now: list[StoryLine]
    next: list[StoryLine]


@router.get(
    "/{prospect_id}/why",
    dependencies=[reach("prospects:read")],
    summary="Tell why",
    responses=responses(404),
)
async def get_why(app: Avtale, prospect_id: UUID) -> Story:
    """What was sent and why then, what was held back and why, and what comes next."""
    async with transaction(app.engine) as conn:
        story = await tell_why(conn, person=prospect_id, now=await database_now(conn))
    return Story.model_validate(story)
