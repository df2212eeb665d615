"""Enrollments as the planner sees them: claimed when due, moved in batches."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, bindparam, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.models.sequences import enrollments

# SKIP LOCKED: planners share the work, and none waits for an answer that holds the row.
_DUE = text("""
select e.id, e.prospect_id, e.version_id, e.sender_id, e.step, e.due_at, e.entered_step_at
from enrollments e
join sequences s on s.id = e.sequence_id and s.state = 'active'
join prospects p on p.id = e.prospect_id and p.paused_at is null
where e.state = 'active' and e.due_at <= :now
order by e.due_at
limit :batch
for no key update of e skip locked
""")


async def claim_due(conn: AsyncConnection, *, now: datetime, batch: int) -> Sequence[RowMapping]:
    """Lock and return enrollments whose time has come, oldest first."""
    return (await conn.execute(_DUE, {"now": now, "batch": batch})).mappings().all()


# A verdict that was revised does not count: the newer row does.
_SEEN = text("""
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


async def seen(conn: AsyncConnection, ids: Sequence[UUID]) -> dict[UUID, RowMapping]:
    """What branches may ask of these enrollments: opened, clicked, delivered."""
    rows = await conn.execute(_SEEN, {"ids": list(ids)})
    return {row["id"]: row for row in rows.mappings()}


async def move(conn: AsyncConnection, changes: Sequence[dict[str, Any]]) -> None:
    """Write planned moves: dicts of at, state, step, due_at, stop_reason, ended_at, now."""
    if not changes:
        return
    await conn.execute(
        update(enrollments)
        .where(enrollments.c.id == bindparam("at"), enrollments.c.state == "active")
        .values(
            state=bindparam("to_state"),
            step=bindparam("to_step"),
            due_at=bindparam("to_due"),
            entered_step_at=bindparam("entered"),
            stop_reason=bindparam("reason"),
            ended_at=bindparam("ended"),
        ),
        list(changes),
    )


# `replayed`: the answer was given before this database was restored, and is read once more; the
# original may have offered the call already. Until a person has decided.
_UNLOCKED = text("""
select u.enrollment_id, u.id, g.message_id,
  exists (select 1 from bookings b where b.unlock_id = u.id and b.state = 'booked') as booked,
  coalesce(g.happened_at <= c.restored_at and not exists (select 1 from tasks t
    where t.enrollment_id = u.enrollment_id and t.kind = 'late' and t.state = 'done'
      and t.closed_at > c.restored_at), false) as replayed
from unlocks u join engagements g on g.id = u.engagement_id cross join clock c
where u.enrollment_id = any(cast(:ids as uuid[]))
""")


async def unlocked(conn: AsyncConnection, ids: Sequence[UUID]) -> dict[UUID, RowMapping]:
    """The unlock of each enrollment that has one, the message it was earned by, and whether the
    answer was `replayed` after a restore."""
    rows = await conn.execute(_UNLOCKED, {"ids": list(ids)})
    return {row["enrollment_id"]: row for row in rows.mappings()}
