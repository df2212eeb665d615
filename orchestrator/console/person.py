"""A person: what happened and why, what holds, what comes next, and what can be decided."""

from collections.abc import Awaitable, Callable
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import Request, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.clock import database_now
from orchestrator.console import visit as visits
from orchestrator.console.frame import Pages, app_of, form_of, go, moment, render
from orchestrator.db import transaction
from orchestrator.errors import BadInput, NotFound
from orchestrator.flows.pause_person import pause_person
from orchestrator.flows.resume_person import resume_person
from orchestrator.flows.snooze_person import snooze_person
from orchestrator.flows.stop_person import stop_person
from orchestrator.flows.tell_why import tell_why
from orchestrator.models.people import prospects
from orchestrator.models.work import tasks
from orchestrator.rules import gate
from orchestrator.store import finding, listing, threads

router = Pages()
LINES = 200  # of the past, until all of it is asked for
_REASONS = {"stop": "by_hand", "opt_out": "opt_out"}
_Verb = Callable[[AsyncConnection, datetime], Awaitable[str]]


@router.page("/console/people/{prospect_id}", "prospects:read")
async def show_person(request: Request, prospect_id: UUID) -> Response:
    """The page; `all` tells the whole of a long story."""
    return await _page(request, prospect_id)


@router.form("/console/people/{prospect_id}/pause", "prospects:write")
async def pause(request: Request, prospect_id: UUID) -> Response:
    """Nothing automated leaves to them until they are resumed."""

    async def verb(conn: AsyncConnection, now: datetime) -> str:
        changed = await pause_person(conn, prospect_id=prospect_id, now=now)
        return "person_paused" if changed else "person_paused_before"

    return await _do(request, prospect_id, verb)


@router.form("/console/people/{prospect_id}/resume", "prospects:write")
async def resume(request: Request, prospect_id: UUID) -> Response:
    """Their sequences go on where they were."""

    async def verb(conn: AsyncConnection, now: datetime) -> str:
        changed = await resume_person(conn, prospect_id=prospect_id, now=now)
        return "person_resumed" if changed else "person_not_paused"

    return await _do(request, prospect_id, verb)


@router.form("/console/people/{prospect_id}/snooze", "prospects:write")
async def snooze(request: Request, prospect_id: UUID) -> Response:
    """Nothing leaves before the day, by their own clock, that was chosen."""

    async def verb(conn: AsyncConnection, now: datetime) -> str:
        day = _day(form_of(request).get("until", ""))
        until = gate.start_of_day(day, await threads.zone_of(conn, prospect_id))
        await snooze_person(conn, prospect_id=prospect_id, until=until, now=now)
        return "person_snoozed"

    return await _do(request, prospect_id, verb)


@router.form("/console/people/{prospect_id}/stop", "prospects:write")
async def stop(request: Request, prospect_id: UUID) -> Response:
    """End what runs for them; or opt them out, for good and everywhere."""
    app = app_of(request)

    async def verb(conn: AsyncConnection, now: datetime) -> str:
        how = form_of(request).get("how", "")
        if how not in _REASONS:
            raise BadInput("Choose what is to end.", field="how", fault="choose")
        await stop_person(
            conn, prospect_id=prospect_id, reason=_REASONS[how], now=now, keys=app.keys
        )
        return "person_opted_out" if how == "opt_out" else "person_stopped"

    return await _do(request, prospect_id, verb)


def _day(typed: str) -> date:
    try:
        return date.fromisoformat(typed)
    except ValueError:
        raise BadInput("Choose a date.", field="until", fault="date") from None


async def _do(request: Request, prospect_id: UUID, verb: _Verb) -> Response:
    app = app_of(request)
    try:
        async with transaction(app.engine) as conn:
            said = await verb(conn, await database_now(conn))
    except BadInput as error:
        field = str(error.extra.get("field", "until"))
        faults = {field: str(error.extra.get("fault", "date"))}
        return await _page(request, prospect_id, status=422, faults=faults)
    app.ring("plan")
    response = go(request, f"console/people/{prospect_id}")
    visits.say(response, app.settings, said)
    return response


async def _page(
    request: Request,
    prospect_id: UUID,
    *,
    status: int = 200,
    faults: dict[str, str] | None = None,
) -> Response:
    async with transaction(app_of(request).engine) as conn:
        now = await database_now(conn)
        row = await listing.one(conn, listing.PROSPECTS, prospects.c.id == prospect_id)
        if row is None:
            raise NotFound("There is no such person.")
        story = await tell_why(conn, person=prospect_id, now=now)
        known = await listing.identities_by_prospect(conn, [prospect_id])
        running = await finding.sequences_of(conn, [prospect_id])
        facts = await listing.facts_of(conn, prospect_id)
        mine = (tasks.c.prospect_id == prospect_id, tasks.c.state == "open")
        todo = await listing.page(conn, listing.TASKS, tasks.c.id, *mine, after=None, limit=20)
    zone = ZoneInfo(row["zone"] or "UTC")
    whole = "all" in request.query_params
    past = story.past[::-1]
    return render(
        request,
        "person.html",
        status=status,
        person=row,
        story=story,
        past=past if whole else past[:LINES],
        hidden=0 if whole else max(0, len(past) - LINES),
        identities=known.get(prospect_id, []),
        sequences=running.get(prospect_id, []),
        facts=facts,
        tasks=todo,
        now=now,
        local=lambda at: moment(at.astimezone(zone)),
        tomorrow=f"{now.astimezone(zone):%Y-%m-%d}",
        faults=faults or {},
    )
