"""What may be claimed: lanes that are free, and their due messages with all that decides on them.

Nothing here waits for a row that somebody else holds (SKIP LOCKED throughout), so a claim can not
be part of a deadlock. Due times use `now`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.rules.watermark import Mark
from orchestrator.store.direct import Statement

Row = Mapping[str, Any]

# The cheap half first, in the order of fairness; whether a lane has anything due is asked one by
# one until there are enough: 2,000 free lanes cost no 2,000 probes. Lateral and locked within,
# because the planner may join what is plain in any order: it took the lanes as they lie in their
# table, and those at its end waited for as long as the first had a backlog.
_LANES = Statement("""
with marks as materialized (
  select * from unnest(cast(:marked as uuid[]), cast(:dues as timestamptz[]), cast(:ids as uuid[]))
    as w (sender_id, due_at, id)
), free as materialized (
  select f.sender_id, coalesce(w.due_at, '-infinity') as due_at,
    coalesce(w.id, '00000000-0000-0000-0000-000000000000') as id
  from lanes f left join marks w on w.sender_id = f.sender_id
  where f.free_at <= :now and (f.parked_until is null or f.parked_until <= :now)
    and not (f.sender_id = any(cast(:busy as uuid[])))
  order by f.free_at
)
select one.* from free f cross join lateral (
  select l.sender_id, l.day, l.used, s.daily_cap, s.gap_seconds, s.gap_jitter_seconds, s.zone,
    cast(s.hours as text) as hours, greatest(l.free_at, l.parked_until) as free_since
  from lanes l join senders s on s.id = l.sender_id
  where l.sender_id = f.sender_id and s.paused_at is null and l.free_at <= :now
    and (l.parked_until is null or l.parked_until <= :now)
    and (select d.id from messages d
         where d.sender_id = f.sender_id and d.phase = 'open'
           and d.state in ('pending', 'retry_wait') and d.due_at <= :now
           and (d.due_at, d.id) > (f.due_at, f.id)
         order by d.due_at, d.id limit 1) is not null
  for no key update of l skip locked) one
limit :lanes
""")


async def free_lanes(
    conn: AsyncConnection,
    *,
    now: datetime,
    busy: Sequence[UUID],
    lanes: int,
    marks: Mapping[UUID, Mark],
) -> Sequence[Row]:
    """Lock lanes that may send and have something due after their mark, longest free first."""
    dues, ids = [one.due_at for one in marks.values()], [one.id for one in marks.values()]
    values = {"now": now, "busy": list(busy), "lanes": lanes}
    values |= {"marked": list(marks), "dues": dues, "ids": ids}
    return await _LANES.fetch(conn, values)


_ROW = """
select m.id, m.enrollment_id, m.prospect_id, m.step, m.kind, m.channel, m.sender_id,
  m.identity_id, m.unlock_id, m.booking_id, m.thread_of, m.rfc_message_id, m.attempt,
  m.fence, m.due_at, m.last_class, e.version_id, e.sequence_id, e.state as enrollment_state,
  e.step as enrollment_step,
  e.answered_at is not null as answered, p.opted_out_at is not null as opted_out,
  p.paused_at is not null as prospect_paused, p.not_before, p.zone, p.country, p.phone,
  p.language, i.address, coalesce(i.state = 'usable', true) as address_usable,
  s.state = 'active' as sequence_active,
  exists (select 1 from suppressions x where
      (x.scope = 'person' and x.prospect_id = p.id)
      or (x.scope = 'address' and x.address_hash = i.address_hash)
      or (x.scope = 'person' and x.address_hash in
          (select o.address_hash from identities o where o.prospect_id = p.id))) as suppressed
from messages m
join enrollments e on e.id = m.enrollment_id
join sequences s on s.id = e.sequence_id
join prospects p on p.id = m.prospect_id
left join identities i on i.id = m.identity_id
"""

_CANDIDATES = Statement(f"""
{_ROW}
where m.id = any(array(
  select c.id from unnest(cast(:senders as uuid[]), cast(:rooms as int[]),
    cast(:dues as timestamptz[]), cast(:ids as uuid[])) as w(sender_id, room, due_at, id)
  cross join lateral (
    select d.id from messages d
    where d.sender_id = w.sender_id and d.phase = 'open'
      and d.state in ('pending', 'retry_wait') and d.due_at <= :now
      and (d.due_at, d.id) > (w.due_at, w.id)
    order by d.due_at, d.id limit w.room) c))
  and m.state in ('pending', 'retry_wait') and m.due_at <= :now
order by m.due_at, m.id
for no key update of m, e skip locked
""")  # noqa: S608 - _ROW is a constant of this file


@dataclass(frozen=True, slots=True)
class Wanted:
    """At most `room` messages of a lane, after `mark`."""

    sender_id: UUID
    room: int
    mark: Mark


async def candidates(
    conn: AsyncConnection, *, wanted: Sequence[Wanted], now: datetime
) -> Sequence[Row]:
    """Lock the due messages of these lanes, oldest first, with all that decides on them."""
    values: dict[str, Any] = {
        "senders": [one.sender_id for one in wanted],
        "rooms": [one.room for one in wanted],
        "dues": [one.mark.due_at for one in wanted],
        "ids": [one.mark.id for one in wanted],
        "now": now,
    }
    return await _CANDIDATES.fetch(conn, values)


_CONFIRMATIONS = Statement(f"""
{_ROW}
join senders a on a.id = m.sender_id and a.paused_at is null
join lanes l on l.sender_id = m.sender_id and (l.parked_until is null or l.parked_until <= :now)
where m.kind in ('invitation', 'host_invitation') and m.phase = 'open'
  and m.state in ('pending', 'retry_wait') and m.due_at <= :now
order by m.due_at
limit :batch
for no key update of m, e skip locked
""")


async def confirmations(conn: AsyncConnection, *, now: datetime, batch: int) -> Sequence[Row]:
    """Lock due confirmations of bookings: they are asked for, and pass caps, gaps and windows."""
    return await _CONFIRMATIONS.fetch(conn, {"now": now, "batch": batch})
