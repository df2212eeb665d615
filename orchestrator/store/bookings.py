"""Bookings: the calls that unlocks opened. The database refuses overlaps and bookings without an
unlock; what is here only asks it to."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, func, insert, select, update
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.models.calls import bookings, hosts
from orchestrator.models.engagement import unlocks
from orchestrator.models.messages import messages
from orchestrator.models.people import companies, identities, prospects
from orchestrator.models.sequences import enrollments, sequence_versions
from orchestrator.rules.invitation import BookingValues
from orchestrator.rules.reader_zone import reader_zone

OVERLAP = "no_double_booking"
ONE_LIVE = "uq_bookings_one_live"

_TIMES = (
    func.lower(bookings.c.during).label("starts_at"),
    func.upper(bookings.c.during).label("ends_at"),
)


async def unlock(conn: AsyncConnection, unlock_id: UUID) -> RowMapping | None:
    """One unlock."""
    rows = await conn.execute(select(unlocks).where(unlocks.c.id == unlock_id))
    return rows.mappings().one_or_none()


async def get(conn: AsyncConnection, booking_id: UUID, *, lock: bool = False) -> RowMapping | None:
    """One booking with `starts_at`, `ends_at` and the `enrollment_id` and `minutes` of its unlock.
    `lock` takes its row; the prospect's row must be locked before."""
    query = (
        select(bookings, *_TIMES, unlocks.c.enrollment_id, unlocks.c.minutes)
        .join(unlocks, unlocks.c.id == bookings.c.unlock_id)
        .where(bookings.c.id == booking_id)
    )
    if lock:
        query = query.with_for_update(key_share=True, of=bookings)
    return (await conn.execute(query)).mappings().one_or_none()


async def live_of_unlock(conn: AsyncConnection, unlock_id: UUID) -> RowMapping | None:
    """The call that is booked for an unlock."""
    rows = await conn.execute(
        select(bookings, *_TIMES).where(
            bookings.c.unlock_id == unlock_id, bookings.c.state == "booked"
        )
    )
    return rows.mappings().one_or_none()


async def busy(
    conn: AsyncConnection,
    host_id: UUID,
    start: datetime,
    end: datetime,
    *,
    but: UUID | None = None,
) -> list[tuple[datetime, datetime]]:
    """What booked calls take of a host's time between two instants, buffers included; not `but`."""
    query = select(func.lower(bookings.c.busy), func.upper(bookings.c.busy)).where(
        bookings.c.host_id == host_id,
        bookings.c.state == "booked",
        bookings.c.busy.overlaps(Range(start, end)),
    )
    if but is not None:
        query = query.where(bookings.c.id != but)
    return [(first, last) for first, last in await conn.execute(query)]


async def add(
    conn: AsyncConnection,
    *,
    booking_id: UUID,
    unlock: RowMapping,
    host_number: int,
    during: tuple[datetime, datetime],
    busy: tuple[datetime, datetime],
    uid: str,
    note: str,
    now: datetime,
) -> None:
    """Insert a booking. Raises IntegrityError: OVERLAP, ONE_LIVE, or the foreign key to unlocks."""
    await conn.execute(
        insert(bookings).values(
            id=booking_id,
            unlock_id=unlock["id"],
            prospect_id=unlock["prospect_id"],
            host_id=unlock["host_id"],
            host_number=host_number,
            during=Range(*during),
            busy=Range(*busy),
            uid=uid,
            note=note,
            created_at=now,
            updated_at=now,
        )
    )


async def move(
    conn: AsyncConnection,
    booking_id: UUID,
    *,
    during: tuple[datetime, datetime],
    busy: tuple[datetime, datetime],
    now: datetime,
) -> int:
    """Give a booking another time. Returns the new revision. Raises IntegrityError: OVERLAP."""
    return await _revise(conn, booking_id, now, during=Range(*during), busy=Range(*busy))


async def cancel(conn: AsyncConnection, booking_id: UUID, *, now: datetime) -> int:
    """Cancel a booking, which frees its time. Returns the new revision."""
    return await _revise(conn, booking_id, now, state="cancelled")


async def _revise(conn: AsyncConnection, booking_id: UUID, now: datetime, **values: Any) -> int:
    revised = await conn.execute(
        update(bookings)
        .where(bookings.c.id == booking_id, bookings.c.state == "booked")
        .values(revision=bookings.c.revision + 1, updated_at=now, **values)
        .returning(bookings.c.revision)
    )
    return int(revised.scalar_one())


async def finish_enrollment(conn: AsyncConnection, enrollment_id: UUID, *, now: datetime) -> None:
    """End the enrollment whose call is booked. The prospect's row must be locked before."""
    await conn.execute(
        update(enrollments)
        .where(enrollments.c.id == enrollment_id)
        .values(
            state="finished",
            stop_reason="booked",
            ended_at=now,
            due_at=None,
            answered_at=func.coalesce(enrollments.c.answered_at, now),
        )
    )


async def booking_values(conn: AsyncConnection, booking_id: UUID) -> BookingValues | None:
    """All that the invitations of a booking say, as it stands now; None when it does not exist."""
    rows = await conn.execute(
        select(
            *bookings.c["id", "uid", "revision", "state", "note", "created_at", "updated_at"],
            *_TIMES,
            unlocks.c.enrollment_id,
            *prospects.c["first_name", "last_name", "country", "language"],
            prospects.c.zone.label("prospect_zone"),
            companies.c.name.label("company"),
            companies.c.country.label("company_country"),
            *hosts.c["display_name", "email", "location"],
            hosts.c.zone.label("host_zone"),
            sequence_versions.c.definition["language"].as_string().label("sequence_language"),
        )
        .join(unlocks, unlocks.c.id == bookings.c.unlock_id)
        .join(hosts, hosts.c.id == bookings.c.host_id)
        .join(prospects, prospects.c.id == bookings.c.prospect_id)
        .outerjoin(companies, companies.c.id == prospects.c.company_id)
        .join(enrollments, enrollments.c.id == unlocks.c.enrollment_id)
        .join(sequence_versions, sequence_versions.c.id == enrollments.c.version_id)
        .where(bookings.c.id == booking_id)
    )
    row = rows.mappings().one_or_none()
    return None if row is None else _values(row, await _invited(conn, booking_id))


async def _invited(conn: AsyncConnection, booking_id: UUID) -> str | None:
    """The address that the newest invitation of a booking goes to."""
    rows = await conn.execute(
        select(identities.c.address)
        .join(messages, messages.c.identity_id == identities.c.id)
        .where(messages.c.booking_id == booking_id, messages.c.kind == "invitation")
        .order_by(messages.c.id.desc())
        .limit(1)
    )
    address: str | None = rows.scalar_one_or_none()
    return address


def _values(row: RowMapping, invited: str | None) -> BookingValues:
    reader = reader_zone(
        wanted=None,
        known=row["prospect_zone"],
        country=row["country"] or row["company_country"],
        fallback=row["host_zone"],
        now=row["starts_at"],
    )
    return BookingValues(
        id=row["id"],
        enrollment_id=row["enrollment_id"],
        uid=row["uid"],
        revision=row["revision"],
        cancelled=row["state"] == "cancelled",
        start=row["starts_at"],
        end=row["ends_at"],
        created_at=row["created_at"],
        changed_at=row["updated_at"],
        host_name=row["display_name"],
        host_email=row["email"],
        host_zone=row["host_zone"],
        location=row["location"],
        prospect_name=f"{row['first_name']} {row['last_name']}".strip(),
        prospect_email=invited,
        prospect_zone=reader.name,
        company=row["company"] or "",
        note=row["note"],
        language=row["language"] or row["sequence_language"],
        host_language=row["sequence_language"],
    )
