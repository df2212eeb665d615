"""The booked call: see it, put it in a calendar, cancel it."""

from datetime import datetime

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator import clock
from orchestrator.db import transaction
from orchestrator.errors import NotFound
from orchestrator.flows.cancel_booking import cancel_booking
from orchestrator.flows.view_page import BookedCall, OpenCall, Page, view_page
from orchestrator.pages.screen import PageRoute, app_of, screen, subject_of, words_for
from orchestrator.pages.zone_choice import local_of
from orchestrator.rules.invitation import calendar
from orchestrator.rules.page_state import Standing
from orchestrator.rules.redirect import followable
from orchestrator.store.bookings import booking_values

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.api_route("/p/{token}/booked", methods=["GET", "HEAD"])
async def booked(request: Request, token: str) -> Response:
    """The booking, with what can be done about it."""
    async with transaction(app_of(request).engine) as conn:
        page, now = await load(conn, request, token)
    found = _live(page)
    if found is None:
        return RedirectResponse(f"../{token}", 303)
    call, booking = found
    words = words_for(request, page.language)
    return screen(
        request,
        "booked.html",
        words,
        page=page,
        token=token,
        local=local_of(page, words, now),
        minutes=int((booking.ends_at - booking.starts_at).total_seconds()) // 60,
        past=booking.ends_at <= now,
        may_change=coming(page, now) is not None,
        may_move=page.state.standing is Standing.BOOKED,
        location_url=followable(call.location),
    )


@router.api_route("/p/{token}/cancel", methods=["GET", "HEAD"])
async def ask_to_cancel(request: Request, token: str) -> Response:
    """Ask once before the time is given back."""
    async with transaction(app_of(request).engine) as conn:
        page, now = await load(conn, request, token)
    if coming(page, now) is None:
        return RedirectResponse(f"../{token}", 303)
    words = words_for(request, page.language)
    return screen(
        request, "cancel.html", words, page=page, token=token, local=local_of(page, words, now)
    )


@router.post("/p/{token}/cancel")
async def cancel(request: Request, token: str) -> Response:
    """Give the time back. Doing it again changes nothing."""
    app = app_of(request)
    async with transaction(app.engine) as conn:
        page, now = await load(conn, request, token)
        booking = coming(page, now)
        if booking is not None:
            await cancel_booking(conn, app.keys, booking_id=booking.id, by="prospect", now=now)
    app.ring("send")
    return RedirectResponse(f"../{token}", 303)


@router.api_route("/p/{token}/invitation.ics", methods=["GET", "HEAD"])
async def invitation(request: Request, token: str) -> Response:
    """The call as a file for a calendar: the same event as in the invitation by mail."""
    async with transaction(app_of(request).engine) as conn:
        page, _ = await load(conn, request, token)
        found = _live(page)
        values = await booking_values(conn, found[1].id) if found else None
    if values is None:
        raise NotFound("There is no booked call.")
    return Response(
        calendar(values, values.method, words_for(request, page.language).language),
        media_type=f"text/calendar; charset=utf-8; method={values.method}",
        headers={"content-disposition": 'attachment; filename="invitation.ics"'},
    )


async def load(conn: AsyncConnection, request: Request, token: str) -> tuple[Page, datetime]:
    """The page that a token is about, and the time. Raises NotFound."""
    enrollment_id = subject_of(request, "page", token)
    now = await clock.database_now(conn)
    return await view_page(conn, enrollment_id=enrollment_id, now=now), now


def _live(page: Page) -> tuple[OpenCall, BookedCall] | None:
    if page.call is None or page.booking is None or not page.booking.live:
        return None
    return page.call, page.booking


def coming(page: Page, now: datetime) -> BookedCall | None:
    """The live booking, while it can still be moved or cancelled."""
    found = _live(page)
    return found[1] if found and found[1].starts_at > now else None
