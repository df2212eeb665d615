"""What is late and waits for a person: shown in groups, decided many at once."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import Field

from orchestrator.api.parts import Avtale, Caller, reach
from orchestrator.api.shapes import In, Out
from orchestrator.clock import database_now
from orchestrator.db import transaction
from orchestrator.flows.decide_many import decide_many
from orchestrator.store import late
from orchestrator.store.late import Chosen

router = APIRouter(prefix="/api/late", tags=["tasks"])
Reason = Literal["late", "restored"]


class Group(Out):
    """So many people wait at one step, and why."""

    sequence: str
    sender: str
    reason: Reason
    step: str | None
    waiting: int
    since: datetime


class Decision(In):
    """Which of them, and what becomes of them. What is left out does not narrow it."""

    outcome: Literal["send", "skip", "stop"] = Field(
        description="send: it had not left, and may leave inside its hours; skip: leave it out "
        "(after a restore: it left); stop: the sequence ends for these people"
    )
    sequence: str | None = Field(None, max_length=200)
    sender: str | None = Field(None, max_length=200)
    reason: Reason | None = None
    limit: int | None = Field(None, ge=1, le=10_000)
    preview: bool = Field(True, description="only say how many it is about, and change nothing")


class Decided(Out):
    """What was decided, or would be."""

    preview: bool
    waiting: int = Field(description="before anything was decided")
    done: int
    refused: dict[str, int] = Field(description="how many could not be decided, by the reason")


@router.get("", dependencies=[reach("tasks:read")], summary="Show what is late")
async def show_late(app: Avtale, reason: Reason | None = None) -> list[Group]:
    """By sequence, sender, reason and step."""
    async with transaction(app.engine) as conn:
        found = await late.groups(conn, Chosen(reason=reason))
    return [Group.model_validate(dict(row)) for row in found]


@router.post("/decide", summary="Decide about what is late")
async def decide_late(
    app: Avtale, body: Decision, caller: Annotated[Caller, reach("tasks:write")]
) -> Decided:
    """Preview by default. Each is decided at most once, whoever asks how often."""
    chosen = Chosen(body.sequence, body.sender, body.reason)
    async with transaction(app.engine) as conn:
        waiting = sum(row["waiting"] for row in await late.groups(conn, chosen))
        now = await database_now(conn)
    if body.preview:
        count = min(waiting, body.limit or waiting)
        return Decided(preview=True, waiting=count, done=0, refused={})
    most = min(body.limit or 10_000, 10_000)
    by = f"api key: {caller.name}"
    made = await decide_many(app, chosen, body.outcome, now=now, by=by, most=most)
    return Decided(preview=False, waiting=waiting, done=made.done, refused=made.refused)
