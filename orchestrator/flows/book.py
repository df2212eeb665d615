"""Book the call that an unlock opened."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import RowMapping
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.db import is_constraint
from orchestrator.errors import BadInput, CallLocked, Conflict, SlotTaken
from orchestrator.flows import ending, inviting
from orchestrator.ids import uuid7
from orchestrator.keys import Keys
from orchestrator.rules import gate
from orchestrator.store import bookings, engagements, history, hosts, invitations, standing

LONGEST_NOTE = 2000  # characters


async def book(
    conn: AsyncConnection,
    app_keys: Keys,
    *,
    unlock_id: UUID,
    start: datetime,
    now: datetime,
    note: str = "",
) -> UUID:
    """Book the call at `start` (aware), end the sequence and invite both sides.

    The same time again is the same booking. Raises CallLocked without an unlock, Forbidden after an
    opt-out, Conflict when another time is booked already, BadInput for a time that is not offered,
    SlotTaken when somebody was faster; the transaction stays usable after each.
    """
    unlock = await bookings.unlock(conn, unlock_id)
    if unlock is None:
        raise CallLocked("No answer of yours has opened this call yet.")
    if start.tzinfo is None:
        raise BadInput("The time of a call needs its offset from UTC.")
    if len(note) > LONGEST_NOTE:
        raise BadInput(f"A note has at most {LONGEST_NOTE} characters.")
    inviting.refuse_opted_out(await inviting.lock_person(conn, unlock["prospect_id"]))
    live = await bookings.live_of_unlock(conn, unlock_id)
    if live is not None:
        if live["starts_at"] == start:
            booked: UUID = live["id"]
            return booked
        raise Conflict("This call is booked for another time: move that booking instead.")
    enrolled = await standing.lock_enrollments(conn, [unlock["prospect_id"]])
    host = await hosts.get(conn, unlock["host_id"], lock=True)
    await inviting.require_free(conn, host, start, minutes=unlock["minutes"], now=now)
    post = await invitations.post(conn, unlock["enrollment_id"])
    made = await _insert(conn, unlock, host, post, start, note, now)
    await _end_sequences(conn, unlock, enrolled, now)
    await _tell(conn, unlock, made, now)
    await inviting.invite(
        conn, app_keys, booking_id=made, unlock_id=unlock_id, post=post, revision=0, now=now
    )
    return made


async def _insert(
    conn: AsyncConnection,
    unlock: RowMapping,
    host: RowMapping,
    post: RowMapping,
    start: datetime,
    note: str,
    now: datetime,
) -> UUID:
    booking_id, minutes = uuid7(), unlock["minutes"]
    try:
        async with conn.begin_nested():  # a refusal leaves the door's transaction usable
            await bookings.add(
                conn,
                booking_id=booking_id,
                unlock=unlock,
                host_number=host["number"],
                during=inviting.during(start, minutes),
                busy=hosts.hours_of(host).busy(start, minutes),
                uid=f"{booking_id}@{inviting.domain_of(post)}",
                note=_plain(note),
                now=now,
            )
    except IntegrityError as error:
        if is_constraint(error, bookings.OVERLAP):
            raise SlotTaken(inviting.TAKEN) from None
        if is_constraint(error, bookings.ONE_LIVE):
            raise Conflict("This call is booked for another time: move that booking.") from None
        raise
    return booking_id


def _plain(note: str) -> str:
    """Without control characters, which neither the database nor a calendar takes; lines stay."""
    return "".join(char for char in note if char.isprintable() or char == "\n").strip()


async def _end_sequences(
    conn: AsyncConnection, unlock: RowMapping, enrolled: Sequence[RowMapping], now: datetime
) -> None:
    """The enrollment has reached its end, and what else runs for this person gives way to it."""
    enrollment_id = unlock["enrollment_id"]
    await ending.cancel(conn, [enrollment_id], reason="booked", now=now)
    await bookings.finish_enrollment(conn, enrollment_id, now=now)
    others = [row for row in enrolled if row["id"] != enrollment_id]
    await ending.end(conn, others, reason=gate.ELSEWHERE, now=now, answered=True)


async def _tell(conn: AsyncConnection, unlock: RowMapping, made: UUID, now: datetime) -> None:
    """A booking is a human engagement of its own; and the lines of history."""
    prospect_id, enrollment_id = unlock["prospect_id"], unlock["enrollment_id"]
    engagement = await engagements.add(
        conn,
        prospect_id=prospect_id,
        enrollment_id=enrollment_id,
        kind="booking",
        grade="human",
        meaning="interested",
        reasons=["a time was picked on the prospect's own page"],
        happened_at=now,
        now=now,
    )
    await history.append(
        conn,
        "booking.made",
        at=now,
        prospect_id=prospect_id,
        enrollment_id=enrollment_id,
        booking=str(made),
        unlock=str(unlock["id"]),
        engagement=str(engagement),
    )
    await history.append(
        conn,
        "enrollment.finished",
        at=now,
        prospect_id=prospect_id,
        enrollment_id=enrollment_id,
        reason="booked",
    )
