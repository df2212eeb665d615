"""Messages in doubt: what is to be asked about, and what settles it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.store.handover import MAY_LEAVE

# A message in doubt is not due for sending: its `due_at` is when to look at it again. Taking it
# moves that, so that of two reconcilers one asks.
_TAKE = text(r"""
update messages m set due_at = clock_timestamp() + make_interval(secs => greatest(
    :rest, least(21600, extract(epoch from clock_timestamp() - m.handed_at) / 4)))
from frozen f, senders s, enrollments e, prospects p
where m.id in (select d.id from messages d
    where d.phase = 'doubt' and d.due_at < clock_timestamp()
      and d.handed_at < clock_timestamp() - make_interval(secs => :older)
    order by d.handed_at limit :batch for no key update skip locked)
  and f.message_id = m.id and s.id = m.sender_id and e.id = m.enrollment_id
  and p.id = m.prospect_id
returning m.id, m.kind, m.step, m.channel, m.sender_id, m.identity_id, m.prospect_id,
  m.enrollment_id, m.attempt, m.fence, m.last_class = 'restored' as restored,
  e.version_id, e.sequence_id,
  p.zone as prospect_zone, p.country, p.phone, p.language, s.zone as sender_zone, s.hours,
  f.recipient, f.payload, m.handed_at,
  extract(epoch from clock_timestamp() - m.handed_at)\:\:float as age,
  extract(epoch from clock_timestamp() - least(m.handed_at, (select min(h.at) from history h
    where h.prospect_id = m.prospect_id and h.message_id = m.id
      and h.kind = 'message.sending')))\:\:float as first_age,
  (select count(*) from messages n where n.booking_id = m.booking_id and n.kind = m.kind
    and n.created_at > m.created_at) as newer,
  (select lower(b.during) from bookings b where b.id = m.booking_id and b.state = 'booked')
    as call_at
""")


async def take(
    conn: AsyncConnection, *, older: float, rest: float, batch: int
) -> Sequence[RowMapping]:
    """Take messages in doubt whose hand-over began more than `older` seconds ago; nobody else gets
    them for `rest` seconds, and later less and less often. `age` is since the last hand-over,
    `first_age` since the first one.
    """
    rows = await conn.execute(_TAKE, {"older": older, "rest": rest, "batch": batch})
    return rows.mappings().all()


_PROVEN = text("""
select m.id, h.detail->>'evidence' as evidence from messages m
join lateral (select detail from history where prospect_id = m.prospect_id
  and message_id = m.id and kind = 'message.evidence' order by id limit 1) h on true
where m.phase = 'doubt' order by m.handed_at limit :batch
""")


async def proven(conn: AsyncConnection, *, batch: int) -> Sequence[RowMapping]:
    """Messages in doubt for which something has come back: id, evidence."""
    return (await conn.execute(_PROVEN, {"batch": batch})).mappings().all()


_UNASKED = text("""
select m.id, m.prospect_id, m.enrollment_id, m.step, m.kind from messages m
where m.phase = 'doubt' and coalesce(m.settled_at, m.handed_at) < :before
  and not exists (select 1 from tasks t
  where t.message_id = m.id and t.kind = 'in_doubt' and t.state = 'open')
order by m.handed_at limit :batch
""")


async def unasked(conn: AsyncConnection, *, before: datetime, batch: int) -> Sequence[RowMapping]:
    """Messages that were in doubt before `before` and about which nobody is asked."""
    return (await conn.execute(_UNASKED, {"before": before, "batch": batch})).mappings().all()


async def still_same(conn: AsyncConnection, message_id: UUID, fence: int) -> bool:
    """Whether it is in doubt about this very hand-over; locks the message."""
    found = await conn.execute(
        text(
            "select 1 from messages where id = :id and fence = :fence and state = 'in_doubt'"
            " for no key update"
        ),
        {"id": message_id, "fence": fence},
    )
    return found.first() is not None


async def note_ref(conn: AsyncConnection, message_id: UUID, provider_ref: str | None) -> None:
    """The provider's reference of a message that it was asked about, for events that come later."""
    await conn.execute(
        text("update messages set provider_ref = coalesce(provider_ref, :ref) where id = :id"),
        {"id": message_id, "ref": provider_ref},
    )


_STILL_MAY = text(f"""
select 1 from messages m, enrollments e, sequences s, senders a, prospects p
where m.id = :id and m.fence = :fence and m.state = 'in_doubt'
  and e.id = m.enrollment_id and s.id = e.sequence_id and a.id = m.sender_id and {MAY_LEAVE}
""")  # noqa: S608 - a constant of `handover`


async def still_may(conn: AsyncConnection, message_id: UUID, fence: int, *, now: datetime) -> bool:
    """Whether nothing forbids this message in doubt to leave, as at the point of no return; the
    rows of `handover.lock` must be held (L4)."""
    found = await conn.execute(_STILL_MAY, {"id": message_id, "fence": fence, "now": now})
    return found.first() is not None


_OVERTAKE = (
    # The steps of section 5 of the design, one by one: the trigger allows no other way.
    text("""
update messages set state = 'leased', fence = fence + 1, lease_owner = null,
  lease_until = clock_timestamp() + interval '1 minute'
where id = :id and state = 'retry_wait' and handed_at is not null
returning id
"""),
    text("""
update messages set state = 'sending', fence = fence + 1
where id = :id and state = 'leased' and handed_at is not null returning id
"""),
    text("""
update messages set state = 'sent', settled_at = :now, last_class = 'evidence',
  last_detail = :evidence, lease_owner = null, lease_until = null
where id = :id and state = 'sending'
returning id, enrollment_id, prospect_id, step, kind, fence
"""),
)


async def overtake(
    conn: AsyncConnection, message_id: UUID, *, evidence: str, now: datetime
) -> RowMapping | None:
    """Mark a message as sent that waits to be sent again, though it was handed over before and
    something came back for it. The fence rises: whoever holds it passes no more. None: it does not
    wait, or was never handed over. The prospect's row must be locked."""
    values: dict[str, Any] = {"id": message_id}
    await conn.execute(_OVERTAKE[0], values)
    if (await conn.execute(_OVERTAKE[1], values)).first() is None:
        return None
    done = await conn.execute(_OVERTAKE[2], values | {"evidence": evidence, "now": now})
    return done.mappings().one_or_none()


_DOSSIER = text("""
select m.id, m.kind, m.step, m.channel, m.state, m.handed_at, m.attempt, m.rfc_message_id,
  m.last_detail, m.prospect_id, m.enrollment_id, m.sender_id, s.name as sender,
  q.name as sequence, f.recipient, f.subject, f.text, e.state as enrollment_state,
  e.answered_at is not null as answered,
  (select h.detail->>'worker' from history h where h.prospect_id = m.prospect_id
    and h.message_id = m.id and h.kind = 'message.sending' order by h.id desc limit 1) as worker,
  (select count(*) from provider_events x
    where x.sender_id = m.sender_id and x.received_at > m.handed_at) as events_of_sender,
  (select count(*) from provider_events x
    where x.message_id = m.id and x.received_at > m.handed_at) as events_of_message,
  (select count(*) from engagements g
    where g.prospect_id = m.prospect_id and g.recorded_at > m.handed_at) as answers
from messages m join senders s on s.id = m.sender_id
join enrollments e on e.id = m.enrollment_id join sequences q on q.id = e.sequence_id
left join frozen f on f.message_id = m.id
where m.id = :id
""")


async def dossier(conn: AsyncConnection, message_id: UUID) -> RowMapping | None:
    """All that the tables hold about one message in doubt, but for its history."""
    return (await conn.execute(_DOSSIER, {"id": message_id})).mappings().one_or_none()


async def signs(conn: AsyncConnection, prospect_id: UUID, message_id: UUID) -> list[RowMapping]:
    """What was asked and what came back about a message: at, kind and detail, oldest first."""
    rows = await conn.execute(
        text(
            "select at, kind, detail from history where prospect_id = :who and message_id = :id"
            " and kind in ('message.asked', 'message.evidence') order by id"
        ),
        {"who": prospect_id, "id": message_id},
    )
    return list(rows.mappings())


_OPEN = text("""
select t.id as task_id, m.id as message_id, m.step, m.kind, m.handed_at, s.name as sender,
  q.name as sequence, f.recipient, f.subject, m.last_detail
from tasks t join messages m on m.id = t.message_id join senders s on s.id = m.sender_id
join enrollments e on e.id = m.enrollment_id join sequences q on q.id = e.sequence_id
left join frozen f on f.message_id = m.id
where t.kind = 'in_doubt' and t.state = 'open' and m.state = 'in_doubt'
  and (cast(:ids as uuid[]) is null or t.id = any(cast(:ids as uuid[])))
  and (cast(:sender as text) is null or s.name = :sender)
  and (cast(:sequence as text) is null or q.name = :sequence)
  and (cast(:after as timestamptz) is null or m.handed_at >= :after)
  and (cast(:before as timestamptz) is null or m.handed_at < :before)
order by m.handed_at, m.id limit :limit
""")


async def open_doubts(
    conn: AsyncConnection,
    *,
    ids: Sequence[UUID] | None = None,
    sender: str | None = None,
    sequence: str | None = None,
    after: datetime | None = None,
    before: datetime | None = None,
    limit: int = 1000,
) -> Sequence[RowMapping]:
    """Messages in doubt that a person is asked about: of these tasks, by the name of their sender
    or sequence, handed over from `after` until `before`."""
    values: dict[str, Any] = {
        "ids": None if ids is None else list(ids),
        "sender": sender,
        "sequence": sequence,
    }
    values |= {"after": after, "before": before, "limit": limit}
    return (await conn.execute(_OPEN, values)).mappings().all()
