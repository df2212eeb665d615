"""Cancel a booked call."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.flows import inviting
from orchestrator.keys import Keys
from orchestrator.store import bookings, history, invitations


async def cancel_booking(
    conn: AsyncConnection,
    keys: Keys,
    *,
    booking_id: UUID,
    by: Literal["prospect", "host"],
    now: datetime,
) -> None:
    """Cancel the call, which frees its time, and tell both sides. Twice is once.

    The unlock stays: the prospect may pick another time. Raises NotFound, and Conflict when the
    call has begun.
    """
    booking = await inviting.lock_booking(conn, booking_id)
    if booking["state"] == "cancelled":
        return
    inviting.refuse_past(booking, now)
    revision = await bookings.cancel(conn, booking_id, now=now)
    await history.append(
        conn,
        "booking.cancelled",
        at=now,
        prospect_id=booking["prospect_id"],
        enrollment_id=booking["enrollment_id"],
        booking=str(booking_id),
        revision=revision,
        by=by,
    )
    await inviting.invite(
        conn,
        keys,
        booking_id=booking_id,
        unlock_id=booking["unlock_id"],
        post=await invitations.post(conn, booking["enrollment_id"]),
        revision=revision,
        now=now,
    )
