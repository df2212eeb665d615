"""Move a booked call to another time."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.db import is_constraint
from orchestrator.errors import BadInput, Conflict, SlotTaken
from orchestrator.flows import inviting
from orchestrator.keys import Keys
from orchestrator.store import bookings, history, hosts, invitations


async def move_booking(
    conn: AsyncConnection, keys: Keys, *, booking_id: UUID, start: datetime, now: datetime
) -> UUID:
    """Move the call to `start` (aware) and tell both sides. The time that it has is no move.

    Raises NotFound; Conflict when it was cancelled or has begun; Forbidden after an opt-out;
    BadInput for a time that is not offered; SlotTaken when somebody was faster.
    """
    if start.tzinfo is None:
        raise BadInput("The time of a call needs its offset from UTC.")
    booking = await inviting.lock_booking(conn, booking_id)
    if booking["state"] != "booked":
        raise Conflict("This call was cancelled: book a new one.")
    if booking["starts_at"] == start:
        return booking_id
    inviting.refuse_past(booking, now)
    post = await invitations.post(conn, booking["enrollment_id"])
    inviting.refuse_opted_out(post)
    host = await hosts.get(conn, booking["host_id"], lock=True)
    minutes = booking["minutes"]
    await inviting.require_free(conn, host, start, minutes=minutes, now=now, moving=booking_id)
    try:
        async with conn.begin_nested():
            revision = await bookings.move(
                conn,
                booking_id,
                during=inviting.during(start, minutes),
                busy=hosts.hours_of(host).busy(start, minutes),
                now=now,
            )
    except IntegrityError as error:
        if is_constraint(error, bookings.OVERLAP):
            raise SlotTaken(inviting.TAKEN) from None
        raise
    await history.append(
        conn,
        "booking.moved",
        at=now,
        prospect_id=booking["prospect_id"],
        enrollment_id=booking["enrollment_id"],
        booking=str(booking_id),
        revision=revision,
    )
    await inviting.invite(
        conn,
        keys,
        booking_id=booking_id,
        unlock_id=booking["unlock_id"],
        post=post,
        revision=revision,
        now=now,
    )
    return booking_id
