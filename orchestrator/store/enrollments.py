"""Enrollments as the planner sees them: claimed when due, moved in batches."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.rules.watermark import START, Mark
from orchestrator.store.direct import Statement

# SKIP LOCKED: planners share the work, and none waits for an answer that holds the row. Sequence
# and person are asked of each row on the way through the index, in the order of due time: joined,
# all that is due would be read and sorted for one batch of it.
_DUE = Statement("""
select e.id, e.prospect_id, e.version_id, e.sender_id, e.step, e.due_at, e.entered_step_at
from enrollments e
where e.state = 'active' and e.due_at <= :now
  and (select s.state from sequences s where s.id = e.sequence_id) = 'active'
  and (select p.paused_at from prospects p where p.id = e.prospect_id) is null
  and (e.due_at, e.id) > (:after, :after_id)
order by e.due_at, e.id
limit :batch
for no key update of e skip locked
""")


async def claim_due(
    conn: AsyncConnection, *, now: datetime, batch: int, mark: Mark = START
) -> Sequence[Mapping[str, Any]]:
    """Lock and return enrollments whose time has come, oldest first, after `mark`."""
    values = {"now": now, "batch": batch, "after": mark.due_at, "after_id": mark.id}
    return await _DUE.fetch(conn, values)


# A verdict that was revised does not count: the newer row does.
_SEEN = Statement("""
with standing as (
  select g.enrollment_id, g.kind from engagements g
  where g.enrollment_id = any(cast(:ids as uuid[])) and g.grade <> 'machine'
    and g.kind in ('open', 'click', 'tap')
    and not exists (select 1 from engagements r where r.revises = g.id))
select e.id,
  exists (select 1 from standing s where s.enrollment_id = e.id and s.kind = 'open') as opened,
  exists (select 1 from standing s where s.enrollment_id = e.id and s.kind <> 'open') as clicked,
  exists (select 1 from messages m where m.enrollment_id = e.id and m.state = 'sent') as delivered
from enrollments e where e.id = any(cast(:ids as uuid[]))
""")


async def seen(conn: AsyncConnection, ids: Sequence[UUID]) -> dict[UUID, Mapping[str, Any]]:
    """What branches may ask of these enrollments: opened, clicked, delivered."""
    return {row["id"]: row for row in await _SEEN.fetch(conn, {"ids": list(ids)})}


_MOVES = {
    "at": "uuid",
    "to_state": "text",
    "to_step": "text",
    "to_due": "timestamptz",
    "entered": "timestamptz",
    "reason": "text",
    "ended": "timestamptz",
}
_MOVE = Statement(f"""
update enrollments e set state = c.to_state, step = c.to_step, due_at = c.to_due,
  entered_step_at = c.entered, stop_reason = c.reason, ended_at = c.ended
from unnest({", ".join(f"cast(:{name} as {kind}[])" for name, kind in _MOVES.items())})
  as c ({", ".join(_MOVES)})
where e.id = c.at and e.state = 'active'
""")  # noqa: S608 - names of this file


async def move(conn: AsyncConnection, changes: Sequence[dict[str, Any]]) -> None:
    """Write planned moves: dicts of at, to_state, to_step, to_due, entered, reason, ended."""
    if changes:
        await _MOVE.fetch(conn, {name: [one[name] for one in changes] for name in _MOVES})


# `replayed`: the answer was given before this database was restored, and is read once more; the
# original may have offered the call already. Until a person has decided.
_UNLOCKED = Statement("""
select u.enrollment_id, u.id, g.message_id,
  exists (select 1 from bookings b where b.unlock_id = u.id and b.state = 'booked') as booked,
  coalesce(g.happened_at <= c.restored_at and not exists (select 1 from tasks t
    where t.enrollment_id = u.enrollment_id and t.kind = 'late' and t.state = 'done'
      and t.closed_at > c.restored_at), false) as replayed
from unlocks u join engagements g on g.id = u.engagement_id cross join clock c
where u.enrollment_id = any(cast(:ids as uuid[]))
""")


async def unlocked(conn: AsyncConnection, ids: Sequence[UUID]) -> dict[UUID, Mapping[str, Any]]:
    """The unlock of each enrollment that has one, the message it was earned by, and whether the
    answer was `replayed` after a restore."""
    rows = await _UNLOCKED.fetch(conn, {"ids": list(ids)})
    return {row["enrollment_id"]: row for row in rows}
