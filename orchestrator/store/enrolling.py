"""What enrolling asks and writes."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import RowMapping, func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.models.messages import lanes, messages, senders
from orchestrator.models.sequences import enrollments
from orchestrator.rules.enrolling import Standing
from orchestrator.store.direct import Statement
from orchestrator.store.sequences import VersionRow

_RUNNING = ("active", "sending", "held")

# By the person alone (`offset 0`): while the table is too young for statistics, PostgreSQL takes a
# sequence to be as rare as a person, and reads everybody enrolled in it once for each of them.
_STANDINGS = Statement("""
select p.id, coalesce(s.enrolled, false) as enrolled, s.running,
  (select max(g.happened_at) from engagements g
   where g.prospect_id = p.id and g.grade = 'human') as answered_at
from unnest(cast(:ids as uuid[])) as p (id)
cross join lateral (
  select bool_or(e.sequence_id = :sequence) as enrolled,
    (array_agg(q.name order by e.id) filter (where e.sequence_id <> :sequence
      and e.state in ('active', 'sending', 'held')))[1] as running
  from (select id, sequence_id, state from enrollments where prospect_id = p.id offset 0) e
  join sequences q on q.id = e.sequence_id) s
""")


async def standings(
    conn: AsyncConnection, ids: Sequence[UUID], sequence_id: UUID
) -> dict[UUID, Standing]:
    """Where these prospects stand with this sequence and the others."""
    rows = await _STANDINGS.fetch(conn, {"ids": list(ids), "sequence": sequence_id})
    return {row["id"]: Standing(*list(row.values())[1:]) for row in rows}


_LOCK = Statement("""
with locked as (
  select id from prospects where id = any(cast(:ids as uuid[])) order by id for no key update
)
select count(*) from locked
""")


async def lock_people(conn: AsyncConnection, ids: Sequence[UUID]) -> None:
    """Take the rows of these prospects, in order of id."""
    await _LOCK.fetch(conn, {"ids": list(ids)})


async def usable_senders(conn: AsyncConnection, channels: Sequence[str]) -> list[RowMapping]:
    """Senders of these channels with their lanes, by name; paused ones are not usable."""
    rows = await conn.execute(
        select(senders, lanes.c.day, lanes.c.used)
        .outerjoin(lanes, lanes.c.sender_id == senders.c.id)
        .where(senders.c.channel.in_(list(channels)), senders.c.paused_at.is_(None))
        .order_by(senders.c.name)
    )
    return list(rows.mappings())


async def running_of(conn: AsyncConnection, sender_ids: Sequence[UUID]) -> dict[UUID, int]:
    """How many running enrollments each sender has; those without are absent."""
    rows = await conn.execute(
        select(enrollments.c.sender_id, func.count())
        .where(enrollments.c.sender_id.in_(list(sender_ids)), enrollments.c.state.in_(_RUNNING))
        .group_by(enrollments.c.sender_id)
    )
    return {sender_id: count for sender_id, count in rows}  # noqa: C416 - rows are no pairs to mypy


async def planned_of(
    conn: AsyncConnection, sender_ids: Sequence[UUID]
) -> dict[UUID, dict[date, int]]:
    """Messages that wait to leave, per sender and day in the sender's zone."""
    day = func.date(func.timezone(senders.c.zone, messages.c.due_at))
    rows = await conn.execute(
        select(messages.c.sender_id, day, func.count())
        .join(senders, senders.c.id == messages.c.sender_id)
        .where(
            messages.c.sender_id.in_(list(sender_ids)),
            messages.c.phase == "open",
            messages.c.state.in_(("pending", "retry_wait")),
        )
        .group_by(messages.c.sender_id, day)
    )
    found: defaultdict[UUID, dict[date, int]] = defaultdict(dict)
    for sender_id, when, count in rows:
        found[sender_id][when] = count
    return dict(found)


_ADD = Statement("""
insert into enrollments (id, prospect_id, sequence_id, version_id, sender_id, state, step, due_at,
                         entered_step_at, created_at)
select r.id, r.prospect_id, :sequence, :version, r.sender_id, 'active', :step, r.due_at, :now, :now
from unnest(cast(:ids as uuid[]), cast(:prospects as uuid[]), cast(:senders as uuid[]),
            cast(:due as timestamptz[])) as r (id, prospect_id, sender_id, due_at)
on conflict (prospect_id, sequence_id) do nothing
returning id
""")


async def add_enrollments(
    conn: AsyncConnection,
    rows: Sequence[tuple[UUID, UUID, UUID, datetime]],
    *,
    version: VersionRow,
    step: str,
    now: datetime,
) -> set[UUID]:
    """Enroll (id, prospect, sender, due). Who is in the sequence already stays as they are.
    Returns the ids that are new."""
    if not rows:
        return set()
    columns = zip(("ids", "prospects", "senders", "due"), zip(*rows, strict=True), strict=True)
    values = {name: list(column) for name, column in columns}
    fixed = {"sequence": version.sequence_id, "version": version.id, "step": step, "now": now}
    return {row["id"] for row in await _ADD.fetch(conn, values | fixed)}


async def note_growth(conn: AsyncConnection) -> None:
    """Fresh statistics of the enrollments, unless somebody is taking them just now.

    Autovacuum does it within a minute or two; a planner that starts at once with those of an empty
    table reads and sorts everything that is due for each batch of it."""
    await conn.execute(text("analyze (skip_locked) enrollments"))
