"""The hands that booking, moving and cancelling share: locks, times, and the two invitations."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.errors import BadInput, Conflict, Forbidden, NotFound, SlotTaken
from orchestrator.flows import ending
from orchestrator.flows.list_slots import slots_of
from orchestrator.ids import uuid7
from orchestrator.keys import Keys
from orchestrator.rules.invitation import Reader, step_of
from orchestrator.store import bookings, history, invitations, standing

TAKEN = "That time has just been taken. Pick another one."


async def lock_person(conn: AsyncConnection, prospect_id: UUID) -> RowMapping:
    """The prospect's row, which every change about them takes first. Raises NotFound."""
    person = (await standing.lock_prospects(conn, [prospect_id])).get(prospect_id)
    if person is None:
        raise NotFound("There is no such prospect.")
    return person


async def lock_booking(conn: AsyncConnection, booking_id: UUID) -> RowMapping:
    """A booking under its prospect's lock. Raises NotFound."""
    found = await bookings.get(conn, booking_id)
    if found is None:
        raise NotFound("There is no such booking.")
    await lock_person(conn, found["prospect_id"])
    locked = await bookings.get(conn, booking_id, lock=True)
    assert locked is not None
    return locked


def refuse_past(booking: RowMapping, now: datetime) -> None:
    """Raises Conflict for a call that has begun."""
    if booking["starts_at"] <= now:
        raise Conflict("This call has begun; it cannot be changed any more.")


def refuse_opted_out(person: RowMapping) -> None:
    """Raises Forbidden for a prospect who wants to hear no more."""
    if person["opted_out_at"] is not None:
        raise Forbidden("This person asked to hear no more from us, so no call can be booked.")


async def require_free(
    conn: AsyncConnection,
    host: RowMapping,
    start: datetime,
    *,
    minutes: int,
    now: datetime,
    moving: UUID | None = None,
) -> None:
    """Refuse what the page would not offer. The host's row must be locked.

    Raises BadInput outside the host's hours, notice or horizon; SlotTaken beside another call.
    """
    offered = await slots_of(conn, host, minutes=minutes, now=now, taken=False)
    if start not in offered:
        raise BadInput("That time is not one of those that are offered. Pick another one.")
    if start not in await slots_of(conn, host, minutes=minutes, now=now, moving=moving):
        raise SlotTaken(TAKEN)


async def invite(
    conn: AsyncConnection,
    keys: Keys,
    *,
    booking_id: UUID,
    unlock_id: UUID,
    post: RowMapping,
    revision: int,
    now: datetime,
) -> None:
    """Cancel what earlier revisions have not sent, and tell both sides of this one."""
    overtaken = await invitations.cancel(conn, booking_id)
    await ending.note_cancelled(conn, overtaken, reason="overtaken", now=now)
    readers: list[Reader] = ["host"]
    if post["identity_id"] is not None and post["opted_out_at"] is None:
        readers.insert(0, "prospect")
    if post["sender_id"] is None:
        readers = []  # no mailbox at all: the page still shows the booking
    for to in readers:
        message_id, step = uuid7(), step_of(booking_id, revision, to)
        await invitations.add(
            conn,
            message_id=message_id,
            booking_id=booking_id,
            unlock_id=unlock_id,
            post=post,
            kind="invitation" if to == "prospect" else "host_invitation",
            step=step,
            rfc_message_id=keys.rfc_message_id(message_id, domain_of(post)),
            now=now,
        )
        await history.append(
            conn,
            "message.planned",
            at=now,
            prospect_id=post["prospect_id"],
            enrollment_id=post["enrollment_id"],
            message_id=message_id,
            step=step,
        )
    for untold in {"prospect", "host"} - set(readers):
        await history.append(
            conn,
            "booking.not_told",
            at=now,
            prospect_id=post["prospect_id"],
            enrollment_id=post["enrollment_id"],
            booking=str(booking_id),
            to=untold,
            reason="opted out"
            if post["opted_out_at"] is not None
            else "no mail address or mailbox",
        )


def during(start: datetime, minutes: int) -> tuple[datetime, datetime]:
    """From when to when a call of `minutes` at `start` lasts."""
    return start, start + timedelta(minutes=minutes)


def domain_of(post: RowMapping) -> str:
    """The domain of the mailbox that invites: of Message-IDs and of the calendar entry's UID."""
    return str(post["sender_address"] or "avtale.invalid").rpartition("@")[2]
