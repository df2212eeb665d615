"""Bookings: the calls that prospects asked for. Only a prospect makes one, on their own page."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from fastapi import APIRouter

from orchestrator.api.paging import Page, Paging
from orchestrator.api.parts import Avtale, reach
from orchestrator.api.problems import responses
from orchestrator.api.reading import read_one, read_page
from orchestrator.api.shapes import Out
from orchestrator.clock import database_now
from orchestrator.db import transaction
from orchestrator.flows.cancel_booking import cancel_booking
from orchestrator.models.calls import bookings
from orchestrator.store import listing

router = APIRouter(prefix="/api/bookings", tags=["bookings"])


class Booking(Out):
    """One call. `uid` and `revision` are those of its calendar entry (RFC 5545)."""

    id: UUID
    unlock_id: UUID
    prospect_id: UUID
    host_id: UUID
    starts_at: datetime
    ends_at: datetime
    state: Literal["booked", "cancelled"]
    uid: str
    revision: int
    note: str
    created_at: datetime
    updated_at: datetime


@router.get("", dependencies=[reach("bookings:read", scoped=True)], summary="List bookings")
async def list_bookings(
    app: Avtale,
    wanted: Paging,
    state: Literal["booked", "cancelled"] | None = None,
    prospect_id: UUID | None = None,
    host_id: UUID | None = None,
) -> Page[Booking]:
    """The newest first."""
    filters = {
        bookings.c.state: state,
        bookings.c.prospect_id: prospect_id,
        bookings.c.host_id: host_id,
    }
    conditions = [column == value for column, value in filters.items() if value is not None]
    found = await read_page(app, listing.BOOKINGS, bookings.c.id, wanted, *conditions)
    return Page[Booking].model_validate(found)


@router.get(
    "/{booking_id}",
    dependencies=[reach("bookings:read")],
    summary="Read a booking",
    responses=responses(404),
)
async def get_booking(app: Avtale, booking_id: UUID) -> Booking:
    """One booking."""
    row = await read_one(app, listing.BOOKINGS, bookings.c.id == booking_id, "booking")
    return Booking.model_validate(row)


@router.post(
    "/{booking_id}/cancel",
    dependencies=[reach("bookings:write")],
    summary="Cancel a booking for its host",
    responses=responses(404, 409),
)
async def cancel_call(app: Avtale, booking_id: UUID) -> Booking:
    """Both sides are told. The call stays open: the prospect may pick another time."""
    async with transaction(app.engine) as conn:
        now = await database_now(conn)
        await cancel_booking(conn, app.keys, booking_id=booking_id, by="host", now=now)
    app.ring("send")
    return await get_booking(app, booking_id)
