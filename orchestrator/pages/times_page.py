"""Free times for the call that an unlock opened, and booking or moving to one of them (L1)."""

from datetime import UTC, date, datetime, timedelta

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from orchestrator.db import transaction
from orchestrator.errors import BadInput, CallLocked, Conflict, SlotTaken
from orchestrator.flows.book import book
from orchestrator.flows.list_slots import list_slots
from orchestrator.flows.move_booking import move_booking
from orchestrator.flows.view_page import Page
from orchestrator.pages.booked_page import coming, load
from orchestrator.pages.forms import read_form
from orchestrator.pages.screen import PageRoute, app_of, notice, screen, words_for
from orchestrator.pages.zone_choice import local_of, options, shown_zone
from orchestrator.rules.page_state import Choice, Standing
from orchestrator.rules.slot_days import slot_week

router = APIRouter(route_class=PageRoute, include_in_schema=False)

NOTE_LIMIT = 500


@router.api_route("/p/{token}/times", methods=["GET", "HEAD"])
async def times(request: Request, token: str) -> Response:
    """Free times, once there is an unlock; before it, kind words on what would open them."""
    return await _times(request, token, moving=False, form=dict(request.query_params))


@router.api_route("/p/{token}/move", methods=["GET", "HEAD"])
async def move_times(request: Request, token: str) -> Response:
    """The same for a call that is booked already."""
    return await _times(request, token, moving=True, form=dict(request.query_params))


@router.post("/p/{token}/book")
async def book_time(request: Request, token: str) -> Response:
    """Book one of the free times. A second press finds the booking of the first."""
    form = await read_form(request)
    if form.get("website"):  # no person sees this field
        return RedirectResponse("times", 303)
    start = _instant(form.get("start", ""))
    if start is None:
        return await _times(request, token, moving=False, form=form, fault="choose")
    note = form.get("note", "").strip().replace("\r\n", "\n")
    if len(note) > NOTE_LIMIT:
        return await _times(request, token, moving=False, form=form, fault="note")
    return await _settle(request, token, form, start, note=note, moving=False)


@router.post("/p/{token}/move")
async def move_time(request: Request, token: str) -> Response:
    """Move the call to another free time."""
    form = await read_form(request)
    start = _instant(form.get("start", ""))
    if start is None:
        return await _times(request, token, moving=True, form=form, fault="choose")
    return await _settle(request, token, form, start, note="", moving=True)


async def _settle(
    request: Request, token: str, form: dict[str, str], start: datetime, *, note: str, moving: bool
) -> Response:
    """Book or move, and lead to the booking: the one that was made, or the one that there was."""
    app = app_of(request)
    try:
        async with transaction(app.engine) as conn:
            page, now = await load(conn, request, token)
            if page.booking is not None and page.booking.live:
                if moving and page.booking.starts_at != start and page.state.offers(Choice.BOOKING):
                    await move_booking(
                        conn, app.keys, booking_id=page.booking.id, start=start, now=now
                    )
            elif page.call is not None and page.state.offers(Choice.TIMES):
                await book(
                    conn, app.keys, unlock_id=page.call.unlock_id, start=start, now=now, note=note
                )
            else:
                return _locked(request, page, token)
    except (SlotTaken, BadInput):
        return await _times(request, token, moving=moving, form=form, fault="taken")
    except Conflict:
        return RedirectResponse("booked", 303)  # two presses at once: the other one booked
    app.ring("send")
    return RedirectResponse("booked", 303)


def _locked(request: Request, page: Page, token: str) -> Response:
    """403, and what would open it."""
    words = words_for(request, page.language)
    kind = "locked.closed_" if page.state.standing is Standing.OPTED_OUT else "locked."
    error = CallLocked("No human engagement has opened this call.")
    return notice(
        request,
        words,
        title=words(kind + "title"),
        text=words(kind + "text", sender=page.sender_name),
        status=error.status_code,
        token=token,
    )


async def _times(
    request: Request, token: str, *, moving: bool, form: dict[str, str], fault: str | None = None
) -> Response:
    """The free times of one week. `form` is what came along: zone, week, what was chosen."""
    async with transaction(app_of(request).engine) as conn:
        page, now = await load(conn, request, token)
        if moving and (page.state.standing is not Standing.BOOKED or coming(page, now) is None):
            return RedirectResponse(f"../{token}", 303)
        if not moving and page.state.standing in (Standing.BOOKED, Standing.CALLED):
            return RedirectResponse("booked", 303)
        if page.call is None or not (moving or page.state.offers(Choice.TIMES)):
            return _locked(request, page, token)
        current = page.booking if moving else None
        starts = await list_slots(
            conn,
            host_id=page.call.host_id,
            minutes=page.call.minutes,
            now=now,
            moving=current.id if current else None,
        )
    if current is not None:
        starts = [start for start in starts if start != current.starts_at]
    wanted = form.get("zone")
    zone = shown_zone(page, now, wanted)
    words = words_for(request, page.language)
    local = local_of(page, words, now, wanted)
    week = slot_week(starts, local.zone, _day(form.get("from", "")))
    likely, others = options(page, local, now)
    return screen(
        request,
        "times.html",
        words,
        status={None: 200, "taken": 409}.get(fault, 422),
        page=page,
        token=token,
        moving=moving,
        fault=fault,
        written=form.get("note", "")[:NOTE_LIMIT],
        chosen=form.get("start", ""),
        local=local,
        sure=zone.sure,
        offset=local.offset(week.days[0][1][0].start if week else now),
        likely=likely,
        others=others,
        zone_query=f"&zone={zone.name}" if zone.name == wanted else "",
        week=week,
        sunday=week.monday + timedelta(days=6) if week else None,
        instant=_spell,
    )


def _spell(start: datetime) -> str:
    """An instant as the form carries it."""
    return start.astimezone(UTC).strftime("%Y-%m-%dT%H:%MZ")


def _instant(text: str) -> datetime | None:
    """The instant that a form carries, None for anything else."""
    try:
        read = datetime.fromisoformat(text[:32])
        return read.astimezone(UTC) if read.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        return None
