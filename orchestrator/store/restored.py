"""After a restore: what may have left since the snapshot is put in doubt or held. Set-based SQL.

The original went on sending after the snapshot was taken. So whatever the snapshot has as unsent,
and whatever it would have planned, may be with its reader already: a person decides (L2).
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

# What a person or an answer may have let go before its time.
_WAKEABLE = (
    "('sequence_paused', 'prospect_paused', 'missing_fact', 'enrollment_held', 'snoozed', 'late')"
)

# Only this moves an unsent message to `in_doubt`: the trigger refuses it to everybody else.
_TRIGGER = "alter table messages {} trigger message_transition"

_DOUBT = text(f"""
with doubted as (
  update messages m set state = 'in_doubt', lease_owner = null, lease_until = null,
    -- The earliest instant at which the original may have handed it over.
    handed_at = case when state = 'sending' then handed_at
      else least(:now, greatest(due_at, cast(:snapshot as timestamptz))) end,
    settled_at = :now, due_at = :now, last_class = 'restored',
    last_detail = 'it may have left after the backup was taken'
  where state in ('pending', 'retry_wait', 'leased', 'sending')
    and (state in ('leased', 'sending') or due_at <= :now or last_class in {_WAKEABLE})
  returning m.id, m.prospect_id, m.enrollment_id, m.fence, m.kind,
    case when m.kind = 'request' then left(m.step, -8) else m.step end as step
), told as (
  insert into history (at, kind, prospect_id, enrollment_id, message_id, detail)
  select :now, 'message.in_doubt', prospect_id, enrollment_id, id,
    jsonb_build_object('fence', fence, 'by', 'restore') from doubted
)
insert into tasks
  (id, kind, prospect_id, enrollment_id, message_id, step, title, detail, created_at)
select gen_random_uuid(), 'in_doubt', prospect_id, enrollment_id, id, step,
  'It may have left after the backup was taken', jsonb_build_object('reason', 'restored'), :now
from doubted on conflict do nothing
""")  # noqa: S608 - a constant of this file

# Not: what waits for a time that is still to come, and cannot have moved by itself.
_HOLD = text(r"""
with held as (
  update enrollments e set state = 'held'
  where e.state in ('active', 'held') and (e.state = 'held' or e.due_at <= :now
      or exists (select 1 from messages r where r.enrollment_id = e.id
        and r.step = e.step || '\:request'))
    and not exists (select 1 from messages d where d.enrollment_id = e.id
      and d.state = 'in_doubt' and d.last_class = 'restored')
  returning e.id, e.prospect_id, e.step, e.due_at
), told as (
  insert into history (at, kind, prospect_id, enrollment_id, detail)
  select :now, 'enrollment.held', prospect_id, id,
    jsonb_build_object('step', step, 'task', 'late', 'reason', 'restored') from held
)
insert into tasks (id, kind, prospect_id, enrollment_id, step, title, detail, created_at)
select gen_random_uuid(), 'late', prospect_id, id, step,
  'Its next message may have left after the backup was taken',
  jsonb_build_object('reason', 'restored', 'due', greatest(due_at, :snapshot)), :now
from held on conflict do nothing
""")

_MARK = text("update clock set snapshot_at = :snapshot, restored_at = :now")


@dataclass(frozen=True, slots=True)
class Held:
    """How many messages were put in doubt, and how many enrollments wait without one."""

    messages: int
    enrollments: int


async def hold_all(conn: AsyncConnection, *, snapshot: datetime, now: datetime) -> Held:
    """Put in doubt and hold whatever may have left between `snapshot` and `now`, and note both."""
    values = {"snapshot": snapshot, "now": now}
    await conn.execute(text(_TRIGGER.format("disable")))
    doubted = await conn.execute(_DOUBT, values)
    await conn.execute(text(_TRIGGER.format("enable")))
    held = await conn.execute(_HOLD, values)
    await conn.execute(_MARK, values)
    return Held(doubted.rowcount, held.rowcount)


async def restored_at(conn: AsyncConnection) -> datetime | None:
    """When this database was restored; None: never."""
    row = await conn.execute(text("select restored_at from clock"))
    found: datetime | None = row.scalar_one()
    return found


_NEWEST = text("""
select greatest((select max(beat_at) from heartbeats),
  (select at from history order by id desc limit 1))
""")


async def newest_fact(conn: AsyncConnection) -> datetime | None:
    """When something was last written that carries a time: about when a dump was taken."""
    found: datetime | None = (await conn.execute(_NEWEST)).scalar_one()
    return found


# A table, since it is there before the backup's own tables are, and outlives a crash.
async def begin(conn: AsyncConnection) -> bool:
    """Mark the database as being restored: `check_server` refuses it. False: it was marked."""
    if await under_way(conn):
        return False
    await conn.execute(text("create table restoring ()"))
    return True


async def end(conn: AsyncConnection) -> None:
    """Take the mark away: what may have left is held, and workers may start."""
    await conn.execute(text("drop table restoring"))


async def under_way(conn: AsyncConnection) -> bool:
    """Whether a restore of this database has begun and was not finished."""
    row = await conn.execute(text("select to_regclass('public.restoring') is not null"))
    return bool(row.scalar_one())


_COUNTS = ("prospects", "enrollments", "messages", "provider_events", "suppressions", "bookings",
           "history")  # fmt: skip


async def counts(conn: AsyncConnection) -> dict[str, int]:
    """Rows of the tables that matter, to be compared after a restore."""
    return {
        table: int((await conn.execute(text(f"select count(*) from {table}"))).scalar_one())  # noqa: S608 - constants
        for table in _COUNTS
    }
