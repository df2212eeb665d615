"""The prospect's own page: who wrote what and why, and the few things that can be chosen."""

from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import structlog
from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from orchestrator import clock
from orchestrator.db import transaction
from orchestrator.flows.tap import tap
from orchestrator.flows.view_page import Page, view_page
from orchestrator.pages import tracking
from orchestrator.pages.forms import read_form
from orchestrator.pages.screen import PageRoute, app_of, screen, subject_of, words_for
from orchestrator.pages.zone_choice import local_of, zone_of
from orchestrator.rules.page_state import LONGEST_REST, Choice, month_later, rest_fault
from orchestrator.rules.zones import is_zone

router = APIRouter(route_class=PageRoute, include_in_schema=False)
log = structlog.get_logger()

_MONTHS = {"month": 1, "quarter": 3}


@router.api_route("/p/{token}", methods=["GET", "HEAD"])
async def show(request: Request, token: str) -> Response:
    """The page. Changes nothing; that it was seen is noted afterwards."""
    enrollment_id = subject_of(request, "page", token)
    response = await _page(request, token, enrollment_id)
    if request.method == "GET":
        tracking.note_view(request, enrollment_id)
    return response


@router.post("/p/{token}/more")
async def more(request: Request, token: str) -> Response:
    """Tell me more."""
    return await _tapped(request, token, Choice.MORE)


@router.post("/p/{token}/never")
async def never(request: Request, token: str) -> Response:
    """Never again, from anybody here."""
    return await _tapped(request, token, Choice.NEVER)


@router.post("/p/{token}/later")
async def later(request: Request, token: str) -> Response:
    """Not before a date: one of two presets or the prospect's own."""
    enrollment_id = subject_of(request, "page", token)
    form = await read_form(request)
    async with transaction(app_of(request).engine) as conn:
        now = await clock.database_now(conn)
        page = await view_page(conn, enrollment_id=enrollment_id, now=now)
    today = now.astimezone(zone_of(page, now)).date()
    until = _until(form, today)
    fault = "missing" if until is None else rest_fault(until, today)
    if fault is not None:
        written = form.get("date", "")[:10]
        return await _page(request, token, enrollment_id, fault=fault, written=written)
    return await _tapped(request, token, Choice.LATER, until=until)


def _until(form: dict[str, str], today: date) -> date | None:
    """The date that was chosen, None when there is none that can be read."""
    if months := _MONTHS.get(form.get("preset", "")):
        return month_later(today, months)
    try:
        return date.fromisoformat(form.get("date", ""))
    except ValueError:
        return None


async def _tapped(
    request: Request, token: str, choice: Choice, *, until: date | None = None
) -> Response:
    """Do it, and lead back to the page, which says how things stand now."""
    enrollment_id = subject_of(request, "page", token)
    app = app_of(request)
    async with transaction(app.engine) as conn:
        now = await clock.database_now(conn)
        done = await tap(
            conn, app.keys, enrollment_id=enrollment_id, choice=choice, until=until, now=now
        )
    if done:
        app.ring("plan")
    log.info("page.tap", enrollment=str(enrollment_id), choice=choice, done=done)
    return RedirectResponse(f"../{token}", 303)


async def _page(
    request: Request,
    token: str,
    enrollment_id: UUID,
    *,
    fault: str | None = None,
    written: str = "",
) -> Response:
    async with transaction(app_of(request).engine) as conn:
        now = await clock.database_now(conn)
        page = await view_page(conn, enrollment_id=enrollment_id, now=now, with_letters=True)
    words = words_for(request, page.language)
    today = now.astimezone(zone_of(page, now)).date()
    return screen(
        request,
        "person.html",
        words,
        status=422 if fault else 200,
        page=page,
        local=local_of(page, words, now),
        token=token,
        presets={name: month_later(today, months) for name, months in _MONTHS.items()},
        first_day=today + timedelta(days=1),
        last_day=today + LONGEST_REST,
        rests_until=_rests_until(page, now),
        fault=fault,
        written=written,
    )


def _rests_until(page: Page, now: datetime) -> date | None:
    """The date that the prospect chose, read back from the instant that it became: midnight of
    their zone, or noon UTC when that is not known (rules.gate.start_of_day)."""
    if page.not_before is None or page.not_before <= now:
        return None
    known = page.zone if page.zone is not None and is_zone(page.zone) else "UTC"
    return page.not_before.astimezone(ZoneInfo(known)).date()
