"""Enrollments: one prospect on one version of a sequence."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from fastapi import APIRouter

from orchestrator.api.paging import Page, Paging
from orchestrator.api.parts import Avtale, reach
from orchestrator.api.problems import responses
from orchestrator.api.reading import read_one, read_page
from orchestrator.api.shapes import Out
from orchestrator.models.sequences import enrollments, sequences
from orchestrator.store import listing

router = APIRouter(prefix="/api/enrollments", tags=["enrollments"])

State = Literal["active", "sending", "held", "stopped", "finished"]


class Enrollment(Out):
    """Where one prospect stands. `due_at` is when it is looked at next, if time decides."""

    id: UUID
    prospect_id: UUID
    sequence_id: UUID
    sequence: str
    version_id: UUID
    version: int
    sender_id: UUID
    state: State
    step: str
    due_at: datetime | None
    entered_step_at: datetime
    answered_at: datetime | None
    stop_reason: str | None
    ended_at: datetime | None
    created_at: datetime


@router.get("", dependencies=[reach("enrollments:read", scoped=True)], summary="List enrollments")
async def list_enrollments(
    app: Avtale,
    wanted: Paging,
    sequence: str | None = None,
    state: State | None = None,
    prospect_id: UUID | None = None,
) -> Page[Enrollment]:
    """The newest first."""
    filters = {
        sequences.c.name: sequence,
        enrollments.c.state: state,
        enrollments.c.prospect_id: prospect_id,
    }
    conditions = [column == value for column, value in filters.items() if value is not None]
    found = await read_page(app, listing.ENROLLMENTS, enrollments.c.id, wanted, *conditions)
    return Page[Enrollment].model_validate(found)


@router.get(
    "/{enrollment_id}",
    dependencies=[reach("enrollments:read")],
    summary="Read an enrollment",
    responses=responses(404),
)
async def get_enrollment(app: Avtale, enrollment_id: UUID) -> Enrollment:
    """One enrollment."""
    row = await read_one(app, listing.ENROLLMENTS, enrollments.c.id == enrollment_id, "enrollment")
    return Enrollment.model_validate(row)
