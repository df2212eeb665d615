"""What `why` reads: the person, everything that happened, and how every enrollment stands."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

_MOST = 5000  # lines of one story

_BY_ID = text("""
select p.id, btrim(p.first_name || ' ' || p.last_name) as name, c.name as company
from prospects p left join companies c on c.id = p.company_id where p.id = :id
""")

_FIND = text("""
select p.id, btrim(p.first_name || ' ' || p.last_name) as name, c.name as company
from prospects p left join companies c on c.id = p.company_id
where exists (select 1 from identities i where i.prospect_id = p.id and i.address = :address)
  or (cast(:fragment as text) is not null
      and (p.first_name || ' ' || p.last_name) ilike :fragment escape '\\')
order by p.id limit :most
""")

# A task is told from its own row, which has its title.
_HAPPENED = text("""
select told.*, s.name as sequence, v.number as version, m.kind as message_kind, m.channel,
  coalesce(m.step, told.detail ->> 'step') as step, se.name as sender, f.subject
from (
  select h.at, h.id as turn, h.kind, h.detail, h.enrollment_id, h.message_id
  from history h where h.prospect_id = :prospect and h.kind <> 'task.opened'
  union all
  select g.recorded_at, 0, 'engagement.recorded',
    jsonb_build_object('engaged_by', g.kind, 'grade', g.grade, 'meaning', g.meaning,
      'reasons', g.reasons),
    g.enrollment_id, g.message_id
  from engagements g where g.prospect_id = :prospect and not exists (
    select 1 from history h where h.prospect_id = :prospect
      and h.kind = 'engagement.recorded' and h.detail ->> 'engagement' = cast(g.id as text))
  union all
  select t.created_at, 0, 'task.opened', jsonb_build_object('title', t.title, 'step', t.step),
    t.enrollment_id, t.message_id
  from tasks t where t.prospect_id = :prospect
) told
left join messages m on m.id = told.message_id
left join frozen f on f.message_id = m.id
left join senders se on se.id = m.sender_id
left join enrollments e on e.id = coalesce(told.enrollment_id, m.enrollment_id)
left join sequences s on s.id = e.sequence_id
left join sequence_versions v on v.id = e.version_id
order by told.at desc, told.turn desc limit :most
""")

_STANDINGS = text("""
select e.id, e.state, e.step, e.due_at, e.stop_reason, e.ended_at, e.version_id,
  s.name as sequence, s.state as sequence_state, v.number as version,
  se.name as sender, se.zone as sender_zone, se.hours, se.daily_cap, se.paused_at, se.pause_reason,
  l.free_at, l.parked_until, l.park_reason, l.day, l.used,
  m.state as message_state, m.due_at as message_due, m.attempt, m.last_detail,
  u.created_at as unlocked_at, g.kind as unlocked_by, lower(b.during) as call_at,
  array(select t.title from tasks t where t.enrollment_id = e.id and t.state = 'open'
        order by t.id) as tasks
from enrollments e
join sequences s on s.id = e.sequence_id
join sequence_versions v on v.id = e.version_id
join senders se on se.id = e.sender_id
left join lanes l on l.sender_id = se.id
left join messages m on m.enrollment_id = e.id and m.step = e.step
left join unlocks u on u.enrollment_id = e.id
left join engagements g on g.id = u.engagement_id
left join bookings b on b.unlock_id = u.id and b.state = 'booked'
where e.prospect_id = :prospect order by e.id
""")


async def find_people(
    conn: AsyncConnection, wanted: str, *, person_id: UUID | None, most: int
) -> Sequence[RowMapping]:
    """Who may be meant by an id, an address or a part of a name: id, name and company."""
    if person_id is not None:
        return (await conn.execute(_BY_ID, {"id": person_id})).mappings().all()
    escaped = wanted.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    by_name = "@" not in wanted
    rows = await conn.execute(
        _FIND,
        {
            "address": wanted.lower(),
            "fragment": f"%{escaped}%" if by_name else None,
            "most": most,
        },
    )
    return rows.mappings().all()


async def happened(conn: AsyncConnection, prospect_id: UUID) -> list[dict[str, Any]]:
    """Everything that happened to a prospect, oldest first; of a very long story, the newest."""
    rows = await conn.execute(_HAPPENED, {"prospect": prospect_id, "most": _MOST})
    return [dict(row) for row in rows.mappings()][::-1]


async def standings(conn: AsyncConnection, prospect_id: UUID) -> Sequence[RowMapping]:
    """Every enrollment of a prospect with its sender, lane, message, tasks, unlock and booking."""
    return (await conn.execute(_STANDINGS, {"prospect": prospect_id})).mappings().all()
