"""Enroll people in a sequence, or see first what that would do."""

from dataclasses import asdict
from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from orchestrator.api import idempotency
from orchestrator.api.parts import Avtale, Caller, reach
from orchestrator.api.problems import responses
from orchestrator.api.shapes import In, Long, Name, Out, When
from orchestrator.clock import database_now
from orchestrator.db import transaction
from orchestrator.errors import BadInput
from orchestrator.flows.enroll import enroll
from orchestrator.flows.enrolling import Selection
from orchestrator.flows.preview_enrollment import preview_enrollment
from orchestrator.rules.where import BadWhere, parse
from orchestrator.wiring import App

router = APIRouter(prefix="/api/enrollments", tags=["enrollments"])


class NewEnrollments(In):
    """Who is to be enrolled in what: `prospect_ids`, or those whom `where` means."""

    sequence: Name
    prospect_ids: list[UUID] | None = Field(None, min_length=1, max_length=10_000)
    where: Long | None = Field(None, examples=["country = NO and fact.pain"])
    sender: Name | None = Field(None, description="only by this sender")
    not_before: When | None = Field(None, description="nothing leaves before then")
    limit: int | None = Field(None, ge=1, le=1_000_000)
    dry_run: bool = Field(False, description="say what would happen, and do nothing")
    show: int = Field(10, ge=0, le=100, description="first messages that a dry run renders")


class HeldPerson(Out):
    """Somebody who was not enrolled, and why."""

    prospect_id: UUID
    reason: str
    why: str


class FirstMessage(Out):
    """What somebody would get first, and when; `missing` names what it waits for."""

    prospect_id: UUID
    sender: str
    language: str
    zone: str | None
    leaves_at: datetime | None
    missing: list[str]
    subject: str
    text: str
    fault: str


class Enrolled(Out):
    """What was done, or what would be (`dry_run`). Counts are by reason or by sender."""

    dry_run: bool
    sequence: str
    version: int
    considered: int
    enrolled: int
    waiting: dict[str, int] = Field(description="first messages that lack this")
    held: dict[str, int]
    held_people: list[HeldPerson] = Field(description="the first two hundred")
    senders: dict[str, int] = Field({}, description="enrolled by sender")
    load: dict[str, dict[date, int]] = Field(
        {}, description="of a dry run: sender -> day -> first messages"
    )
    messages: list[FirstMessage] = Field([], description="of a dry run")


@router.post(
    "",
    status_code=200,
    response_model=Enrolled,
    summary="Enroll people",
    responses=responses(404, 409),
)
async def enroll_people(
    app: Avtale,
    request: Request,
    body: NewEnrollments,
    caller: Annotated[Caller, reach("enrollments:write")],
    key: idempotency.Key = None,
) -> Response:
    """Once each, however often it is said. Those held back come with a reason."""
    selection = _selection(body)

    async def work() -> BaseModel:
        return await _work(app, body, selection)

    if body.dry_run:
        key = None  # it changes nothing, and tomorrow it says something else
    answer = await idempotency.repeatable(request, caller, key, work)
    app.ring("plan")
    return answer


def _selection(body: NewEnrollments) -> Selection:
    if (body.prospect_ids is None) == (body.where is None):
        raise BadInput("say who: either prospect_ids or where")
    if body.prospect_ids is not None:
        return Selection(ids=tuple(body.prospect_ids))
    try:
        return Selection(where=parse(body.where or ""))
    except BadWhere as error:
        raise BadInput(f"where: {error}") from None


async def _work(app: App, body: NewEnrollments, selection: Selection) -> Enrolled:
    async with transaction(app.engine) as conn:
        now = await database_now(conn)
    asked: dict[str, Any] = {
        "sequence": body.sequence,
        "selection": selection,
        "now": now,
        "sender": body.sender,
        "not_before": body.not_before,
        "limit": body.limit,
    }
    if body.dry_run:
        preview = asdict(await preview_enrollment(app, **asked, show=body.show))
        said = {"dry_run": True, "enrolled": preview["would_enroll"]}
        return Enrolled.model_validate(preview | said)
    return Enrolled.model_validate(asdict(await enroll(app, **asked)) | {"dry_run": False})
