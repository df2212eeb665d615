"""Messages in doubt: what is known about one, and many decided at once."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field

from orchestrator.api.parts import Avtale, Caller, reach
from orchestrator.api.problems import responses
from orchestrator.api.shapes import In, Out, When
from orchestrator.clock import database_now
from orchestrator.db import transaction
from orchestrator.errors import NotFound
from orchestrator.flows.decide_doubts import decide_doubts
from orchestrator.flows.lay_out_doubt import lay_out_doubt
from orchestrator.store import doubts, tasks

router = APIRouter(prefix="/api/tasks", tags=["tasks"])
Outcome = Literal["sent", "retry", "abandoned"]


class Looked(Out):
    """A place that was looked at for a sign that the message has left."""

    where: str
    found: str


class Choice(Out):
    """What can be decided, what it does and risks; `barred` says why it cannot be now."""

    outcome: Outcome
    does: str
    risks: str
    barred: str | None


class Doubt(Out):
    """All that is known about a message in doubt."""

    message_id: UUID
    prospect_id: UUID
    kind: str
    step: str
    channel: str
    state: str
    sequence: str
    sender: str
    recipient: str | None
    subject: str | None
    text: str | None
    rfc_message_id: str
    handed_at: datetime | None = Field(description="when the hand-over passed its last check")
    attempt: int
    worker: str | None = Field(description="the process that handed it over")
    worker_alive: bool
    phase: str = Field(description="how far it got")
    looked: list[Looked]
    choices: list[Choice]


class Decision(In):
    """Which messages in doubt, and how they end. What is left out does not narrow it."""

    outcome: Outcome
    preview: bool = Field(True, description="only say which these are, and change nothing")
    task_ids: list[UUID] | None = Field(None, max_length=1000)
    sender: str | None = Field(None, max_length=200, description="the sender's name")
    sequence: str | None = Field(None, max_length=200, description="the sequence's name")
    handed_after: When | None = None
    handed_before: When | None = None


class OneDoubt(Out):
    """A message in doubt, and what became of it: `left_alone` says why nothing was done."""

    task_id: UUID
    message_id: UUID
    step: str
    sequence: str
    sender: str
    recipient: str | None
    handed_at: datetime | None
    done: bool = False
    left_alone: str | None = None


class Decisions(Out):
    """The messages in doubt that were found, at most 1,000, the oldest first."""

    preview: bool
    found: list[OneDoubt]


@router.get(
    "/{task_id}/doubt",
    dependencies=[reach("tasks:read")],
    summary="Read what is known about a message in doubt",
    responses=responses(404),
)
async def get_doubt(app: Avtale, task_id: UUID) -> Doubt:
    """When, by whom and how far it was handed over, what was looked for, and the choices."""
    async with transaction(app.engine) as conn:
        task = await tasks.get(conn, task_id)
        found = None
        if task is not None and task["kind"] == "in_doubt" and task["message_id"] is not None:
            found = await lay_out_doubt(app, conn, task["message_id"])
    if found is None:
        raise NotFound("There is no such task about a message in doubt.")
    return Doubt.model_validate(found)


@router.post(
    "/decide",
    summary="Decide about messages in doubt",
    responses=responses(),
)
async def decide(
    app: Avtale, body: Decision, caller: Annotated[Caller, reach("tasks:write")]
) -> Decisions:
    """Say how many messages in doubt ended, at once. With `preview` (the default) nothing changes:
    send the task ids of what it shows, and `preview: false`."""
    async with transaction(app.engine) as conn:
        now = await database_now(conn)
        rows = await doubts.open_doubts(
            conn,
            ids=body.task_ids,
            sender=body.sender,
            sequence=body.sequence,
            after=body.handed_after,
            before=body.handed_before,
        )
    ended = {}
    if not body.preview:
        ids = [row["task_id"] for row in rows]
        by = f"api key: {caller.name}"
        done = await decide_doubts(app, ids, outcome=body.outcome, by=by, now=now)
        ended = {one.task_id: asdict(one) | {"done": one.left_alone is None} for one in done}
    found = [OneDoubt.model_validate({**row, **ended.get(row["task_id"], {})}) for row in rows]
    return Decisions(preview=body.preview, found=found)
