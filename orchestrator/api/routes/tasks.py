"""Tasks: work for a person, and what they decided."""

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field

from orchestrator.api.paging import Page, Paging
from orchestrator.api.parts import Avtale, Caller, reach
from orchestrator.api.problems import responses
from orchestrator.api.reading import read_one, read_page
from orchestrator.api.shapes import In, Out
from orchestrator.clock import database_now
from orchestrator.db import transaction
from orchestrator.flows.close_task import close_task
from orchestrator.models.work import tasks
from orchestrator.store import listing

router = APIRouter(prefix="/api/tasks", tags=["tasks"])


class Task(Out):
    """Something that a person has to do, and why."""

    id: UUID
    kind: str
    prospect_id: UUID | None
    enrollment_id: UUID | None
    message_id: UUID | None
    step: str | None
    title: str
    detail: dict[str, Any]
    state: Literal["open", "done", "cancelled"]
    outcome: str | None
    created_at: datetime
    closed_at: datetime | None


class TaskDone(In):
    """How a task ended."""

    outcome: str = Field(
        max_length=50,
        description="`unclear_answer`: interested, stop, no, not_now or continue; `undeliverable`: "
        "continue or stop; `in_doubt`: sent, retry or abandoned; any other: done or stop",
    )
    until: date | None = Field(None, description="with not_now: nothing is sent before this day")


@router.get("", dependencies=[reach("tasks:read", scoped=True)], summary="List tasks")
async def list_tasks(
    app: Avtale,
    wanted: Paging,
    state: Literal["open", "done", "cancelled"] = "open",
    prospect_id: UUID | None = None,
    enrollment_id: UUID | None = None,
) -> Page[Task]:
    """The newest first; open ones unless another state is asked for."""
    filters = {
        tasks.c.state: state,
        tasks.c.prospect_id: prospect_id,
        tasks.c.enrollment_id: enrollment_id,
    }
    conditions = [column == value for column, value in filters.items() if value is not None]
    found = await read_page(app, listing.TASKS, tasks.c.id, wanted, *conditions)
    return Page[Task].model_validate(found)


@router.get(
    "/{task_id}",
    dependencies=[reach("tasks:read")],
    summary="Read a task",
    responses=responses(404),
)
async def get_task(app: Avtale, task_id: UUID) -> Task:
    """One task."""
    return Task.model_validate(await read_one(app, listing.TASKS, tasks.c.id == task_id, "task"))


@router.post(
    "/{task_id}/done",
    summary="Mark a task done",
    responses=responses(404, 409),
)
async def finish_task(
    app: Avtale, task_id: UUID, body: TaskDone, caller: Annotated[Caller, reach("tasks:write")]
) -> Task:
    """Close the task; the sequence goes on as the outcome says."""
    detail: dict[str, Any] = {"until": body.until} if body.until else {}
    detail["by"] = f"api key: {caller.name}"
    async with transaction(app.engine) as conn:
        now = await database_now(conn)
        await close_task(conn, app.keys, task_id=task_id, outcome=body.outcome, now=now, **detail)
    app.ring("plan")
    return await get_task(app, task_id)
