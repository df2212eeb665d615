"""Tasks: what waits for a person, what each is about, and how it ended."""

from datetime import date
from typing import Any
from uuid import UUID

from fastapi import Request, Response

from orchestrator import acting
from orchestrator.clock import database_now
from orchestrator.console import visit as visits
from orchestrator.console.frame import Pages, app_of, form_of, go, render, session_of
from orchestrator.db import transaction
from orchestrator.errors import BadInput, Conflict, NotFound
from orchestrator.flows.close_task import close_task
from orchestrator.flows.lay_out_task import lay_out_task
from orchestrator.models.people import prospects
from orchestrator.models.work import tasks
from orchestrator.store import listing, ownership, today

router = Pages()
LINES = 50
_STATES = ("open", "done", "cancelled")
# What a task of the sequence holds besides its text, in the order in which it is needed.
_TO_COPY = ("subject", "text")


@router.page("/console/tasks", "tasks:read", scoped=True)
async def show_tasks(request: Request) -> Response:
    """The newest first; `kind` and `state` narrow it, `before` goes on. Two queries."""
    asked = request.query_params
    kind = asked.get("kind", "").replace("\0", "")[:50]
    state = asked.get("state", "") if asked.get("state", "") in _STATES else "open"
    try:
        before = UUID(asked.get("before", ""))
    except ValueError:
        before = None
    owner = acting.only_own()
    conditions = [tasks.c.state == state]
    if kind:
        conditions.append(tasks.c.kind == kind)
    if owner is not None:
        own = ownership.belongs_to(tasks, owner)
        assert own is not None  # tasks are about people
        conditions.append(own)
    async with transaction(app_of(request).engine) as conn:
        rows = await listing.page(
            conn, listing.TASKS_ABOUT, tasks.c.id, *conditions, after=before, limit=LINES
        )
        counts = await today.open_tasks(conn, owner)
    return render(
        request,
        "tasks.html",
        tasks=rows[:LINES],
        older=rows[LINES - 1]["id"] if len(rows) > LINES else None,
        counts=counts,
        kind=kind,
        state=state,
        states=_STATES,
    )


@router.page("/console/tasks/{task_id}", "tasks:read")
async def show_task(request: Request, task_id: UUID) -> Response:
    """One task, with all that is known of it."""
    return await _page(request, task_id)


@router.form("/console/tasks/{task_id}/done", "tasks:write")
async def finish(request: Request, task_id: UUID) -> Response:
    """Close it; the sequence goes on as the outcome says."""
    app, form = app_of(request), form_of(request)
    try:
        detail = _until(form)
        async with transaction(app.engine) as conn:
            await close_task(
                conn,
                app.keys,
                task_id=task_id,
                outcome=form.get("outcome", ""),
                now=await database_now(conn),
                by=f"user: {session_of(request).user_id}",
                **detail,
            )
    except (BadInput, Conflict) as error:
        return await _page(request, task_id, status=error.status_code, wrong=error.message)
    app.ring("plan")
    response = go(request, "console/tasks")
    visits.say(response, app.settings, "task_done")
    return response


def _until(form: dict[str, str]) -> dict[str, Any]:
    typed = form.get("until", "")
    if form.get("outcome") != "not_now" or not typed:
        return {}
    try:
        return {"until": date.fromisoformat(typed)}
    except ValueError:
        raise BadInput("Choose a date that is still to come.") from None


async def _page(request: Request, task_id: UUID, *, status: int = 200, wrong: str = "") -> Response:
    app = app_of(request)
    async with transaction(app.engine) as conn:
        task = await lay_out_task(app, conn, task_id)
        if task is None:
            raise NotFound("There is no such task.")
        person = None
        if task["prospect_id"] is not None:
            this = prospects.c.id == task["prospect_id"]
            person = await listing.one(conn, listing.PROSPECTS, this)
    detail = task["detail"]
    return render(
        request,
        "task.html",
        status=status,
        task=task,
        person=person,
        doubt=task["doubt"],
        copy=[(name, str(detail[name])) for name in _TO_COPY if detail.get(name)],
        profile=str(detail.get("profile") or ""),
        missing=[str(one) for one in detail.get("missing", ())],
        wrong=wrong,
    )
