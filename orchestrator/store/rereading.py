"""Stored events and the verdicts on them that stand, for rereading and for explaining."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import RowMapping, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.models.calls import bookings
from orchestrator.models.engagement import engagements, provider_events, unlocks
from orchestrator.models.messages import messages
from orchestrator.models.work import history, tasks


async def event_ids(
    conn: AsyncConnection,
    *,
    after: UUID | None,
    since: datetime | None,
    prospect_id: UUID | None,
    limit: int,
) -> list[tuple[UUID, datetime]]:
    """Events that a reader reads (mails, providers' events, hits), oldest first, after `after`."""
    query = select(provider_events.c.id, provider_events.c.received_at).where(
        provider_events.c.state.in_(("handled", "unmatched")),
        or_(
            provider_events.c.kind == "mail",
            provider_events.c.source == "track",
            provider_events.c.detail.has_key("event"),
        ),
    )
    if after is not None:
        query = query.where(provider_events.c.id > after)
    if since is not None:
        query = query.where(provider_events.c.received_at >= since)
    if prospect_id is not None:
        query = query.where(provider_events.c.prospect_id == prospect_id)
    rows = await conn.execute(query.order_by(provider_events.c.id).limit(limit))
    return [(row.id, row.received_at) for row in rows]


async def event(conn: AsyncConnection, event_id: UUID, *, lock: bool) -> RowMapping | None:
    """One event with its bytes. `lock`: no other rereading of it meanwhile."""
    query = select(provider_events).where(provider_events.c.id == event_id)
    rows = await conn.execute(query.with_for_update(key_share=True) if lock else query)
    return rows.mappings().one_or_none()


# Each verdict that an event led to, with everything that revises it; what nothing revises stands.
_STANDING = text("""
with recursive chain as (
  select g.id, g.prospect_id from engagements g where g.provider_event_id = :event
  union
  select r.id, r.prospect_id from engagements r join chain c on r.revises = c.id)
select g.*,
  exists (select 1 from unlocks u join chain c on c.id = u.engagement_id
    where u.prospect_id = g.prospect_id) as opened
from engagements g join chain on chain.id = g.id
where not exists (select 1 from engagements later where later.revises = g.id)
order by g.id
""")


async def standing(conn: AsyncConnection, event_id: UUID) -> Sequence[RowMapping]:
    """The verdicts on one event that stand, oldest first, with whether they `opened` a call."""
    return (await conn.execute(_STANDING, {"event": event_id})).mappings().all()


async def chain(conn: AsyncConnection, engagement_id: UUID) -> Sequence[RowMapping]:
    """One engagement with what it revises and what revises it, oldest first."""
    rows = await conn.execute(
        text("""
with recursive before as (
  select id, revises from engagements where id = :id
  union select g.id, g.revises from engagements g join before b on g.id = b.revises),
after as (
  select id from engagements where id = :id
  union select g.id from engagements g join after a on g.revises = a.id)
select * from engagements where id in (select id from before union select id from after)
order by id
"""),
        {"id": engagement_id},
    )
    return rows.mappings().all()


async def handed_at(conn: AsyncConnection, message_id: UUID) -> datetime | None:
    """When a message passed the point of no return."""
    found = await conn.execute(select(messages.c.handed_at).where(messages.c.id == message_id))
    return found.scalar_one_or_none()


async def led_to(conn: AsyncConnection, ids: Sequence[UUID]) -> Sequence[RowMapping]:
    """The lines of history that name one of these engagements, oldest first."""
    owners = select(engagements.c.prospect_id).where(engagements.c.id.in_(ids))
    rows = await conn.execute(
        select(history)
        .where(
            history.c.prospect_id.in_(owners),
            history.c.detail["engagement"].astext.in_([str(one) for one in ids]),
        )
        .order_by(history.c.id)
    )
    return rows.mappings().all()


async def opened_by(conn: AsyncConnection, ids: Sequence[UUID]) -> RowMapping | None:
    """The unlock that one of these engagements earned, and whether a call is booked with it."""
    booked = (
        select(bookings.c.id)
        .where(bookings.c.unlock_id == unlocks.c.id, bookings.c.state == "booked")
        .exists()
    )
    rows = await conn.execute(
        select(unlocks, booked.label("booked")).where(unlocks.c.engagement_id.in_(ids))
    )
    return rows.mappings().first()


async def tasks_about(conn: AsyncConnection, ids: Sequence[UUID]) -> Sequence[RowMapping]:
    """The tasks that one of these engagements opened, oldest first."""
    owners = select(engagements.c.prospect_id).where(engagements.c.id.in_(ids))
    rows = await conn.execute(
        select(tasks)
        .where(
            tasks.c.prospect_id.in_(owners),
            tasks.c.detail["engagement"].astext.in_([str(one) for one in ids]),
        )
        .order_by(tasks.c.id)
    )
    return rows.mappings().all()


async def overtake_tasks(conn: AsyncConnection, engagement_id: UUID, *, now: datetime) -> None:
    """Cancel the open questions about a verdict that another one replaces."""
    await conn.execute(
        update(tasks)
        .where(
            tasks.c.state == "open",
            tasks.c.kind.in_(("unclear_answer", "revised_unlock")),
            tasks.c.detail["engagement"].astext == str(engagement_id),
        )
        .values(state="cancelled", closed_at=now)
    )
