"""What the prospect's page and the tracking tokens need: each page in a fixed number of queries."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, exists, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.ids import uuid7
from orchestrator.models.calls import bookings, hosts
from orchestrator.models.engagement import provider_events, unlocks
from orchestrator.models.messages import frozen, links, messages, senders
from orchestrator.models.people import companies, facts, prospects
from orchestrator.models.sequences import enrollments, sequence_versions
from orchestrator.models.work import tasks
from orchestrator.store.direct import Statement


async def page(conn: AsyncConnection, enrollment_id: UUID) -> RowMapping | None:
    """One enrollment with its prospect, company, sender, program, unlock and host; None when there
    is no such enrollment."""
    unclear = exists().where(
        tasks.c.enrollment_id == enrollments.c.id,
        tasks.c.kind == "unclear_answer",
        tasks.c.state == "open",
    )
    row = await conn.execute(
        select(
            *enrollments.c["id", "prospect_id", "state", "step", "stop_reason", "answered_at"],
            *prospects.c["first_name", "language", "country", "zone"],
            *prospects.c["not_before", "opted_out_at"],
            companies.c.name.label("company_name"),
            companies.c.country.label("company_country"),
            senders.c.display_name.label("sender_name"),
            senders.c.address.label("sender_address"),
            sequence_versions.c.definition,
            unlocks.c.id.label("unlock_id"),
            unlocks.c.host_id,
            unlocks.c.minutes,
            hosts.c.display_name.label("host_name"),
            hosts.c.zone.label("host_zone"),
            hosts.c.location,
            unclear.label("unclear"),
        )
        .join(prospects, prospects.c.id == enrollments.c.prospect_id)
        .join(senders, senders.c.id == enrollments.c.sender_id)
        .join(sequence_versions, sequence_versions.c.id == enrollments.c.version_id)
        .outerjoin(companies, companies.c.id == prospects.c.company_id)
        .outerjoin(unlocks, unlocks.c.enrollment_id == enrollments.c.id)
        .outerjoin(hosts, hosts.c.id == unlocks.c.host_id)
        .where(enrollments.c.id == enrollment_id)
    )
    return row.mappings().one_or_none()


async def newest_booking(conn: AsyncConnection, enrollment_id: UUID) -> RowMapping | None:
    """The live booking of an enrollment's unlock, else the last one that was cancelled."""
    row = await conn.execute(
        select(
            *bookings.c["id", "state", "note"],
            func.lower(bookings.c.during).label("starts_at"),
            func.upper(bookings.c.during).label("ends_at"),
        )
        .join(unlocks, unlocks.c.id == bookings.c.unlock_id)
        .where(unlocks.c.enrollment_id == enrollment_id)
        .order_by((bookings.c.state == "booked").desc(), bookings.c.updated_at.desc())
        .limit(1)
    )
    return row.mappings().one_or_none()


async def letters(
    conn: AsyncConnection, enrollment_id: UUID, *, limit: int = 50
) -> Sequence[RowMapping]:
    """What was written to the prospect, newest first: the frozen text, and when it left."""
    rows = await conn.execute(
        select(
            *messages.c["step", "channel"],
            func.coalesce(messages.c.handed_at, messages.c.settled_at).label("sent_at"),
            *frozen.c["subject", "text"],
        )
        .join(frozen, frozen.c.message_id == messages.c.id)
        .where(
            messages.c.enrollment_id == enrollment_id,
            messages.c.state == "sent",
            messages.c.kind.in_(("outreach", "call_offer")),
        )
        .order_by(messages.c.id.desc())
        .limit(limit)
    )
    return rows.mappings().all()


async def newest_facts(
    conn: AsyncConnection, prospect_id: UUID, names: Iterable[str]
) -> Sequence[RowMapping]:
    """The newest fact of each of these names, with its source and date."""
    newest_first = (
        facts.c.found_on.desc().nulls_last(),
        facts.c.recorded_at.desc(),
        facts.c.id.desc(),
    )
    age = func.row_number().over(partition_by=facts.c.name, order_by=newest_first).label("age")
    ranked = (
        select(*facts.c["name", "value", "source", "found_on"], age)
        .where(facts.c.prospect_id == prospect_id, facts.c.name.in_(list(names)))
        .subquery()
    )
    rows = await conn.execute(select(ranked).where(ranked.c.age == 1).order_by(ranked.c.name))
    return rows.mappings().all()


async def message(conn: AsyncConnection, message_id: UUID) -> RowMapping | None:
    """Whose a message is and when it was handed over."""
    row = await conn.execute(
        select(
            messages.c.id.label("message_id"),
            *messages.c["prospect_id", "enrollment_id", "handed_at"],
            *prospects.c["opted_out_at", "language"],
        )
        .join(prospects, prospects.c.id == messages.c.prospect_id)
        .where(messages.c.id == message_id)
    )
    return row.mappings().one_or_none()


async def link(conn: AsyncConnection, link_id: UUID) -> RowMapping | None:
    """Where a link leads, and the message that carries it."""
    row = await conn.execute(select(*links.c["url", "message_id"]).where(links.c.id == link_id))
    return row.mappings().one_or_none()


_LEADS = Statement(
    """
    select l.id, l.url, l.message_id, e.state, e.stop_reason, e.answered_at, p.opted_out_at,
      p.not_before, u.id is not null as unlocked, clock_timestamp() + c.ahead as now,
      exists (select from tasks t where t.enrollment_id = e.id and t.kind = 'unclear_answer'
        and t.state = 'open') as unclear,
      (select max(upper(b.during)) from bookings b
        where b.unlock_id = u.id and b.state = 'booked') as booking_end
    from links l
    join messages m on m.id = l.message_id
    join enrollments e on e.id = m.enrollment_id
    join prospects p on p.id = m.prospect_id
    left join unlocks u on u.enrollment_id = e.id
    cross join clock c
    where l.id = any(cast(:ids as uuid[]))
    """
)


async def leads(conn: AsyncConnection, link_ids: Sequence[UUID]) -> Sequence[Mapping[Any, Any]]:
    """Where links lead, and what says whether a tap of their readers could still do something."""
    return await _LEADS.fetch(conn, {"ids": list(link_ids)})


async def add_event(
    conn: AsyncConnection,
    *,
    source: str,
    external_id: str,
    kind: str,
    raw: bytes,
    detail: dict[str, Any],
    prospect_id: UUID,
    message_id: UUID | None,
    now: datetime,
) -> UUID | None:
    """Store a provider event that this transaction handles itself; None when it is known."""
    made = await conn.execute(
        insert(provider_events)
        .values(
            id=uuid7(),
            source=source,
            external_id=external_id,
            kind=kind,
            raw=raw,
            detail=detail,
            state="handled",
            prospect_id=prospect_id,
            message_id=message_id,
            received_at=now,
            handled_at=now,
        )
        .on_conflict_do_nothing(index_elements=["source", "external_id"])
        .returning(provider_events.c.id)
    )
    event_id: UUID | None = made.scalar_one_or_none()
    return event_id
