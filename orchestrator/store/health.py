"""How the installation is doing, in a few queries that an index answers."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

# A message is overdue by as long as its lane could have sent it and did not: what waits for the
# minimum gap, a parked or paused lane, or tomorrow's cap is not late.
_OVERDUE = text("""
select coalesce(max(extract(epoch from :now - greatest(
         first.due_at, lanes.free_at, coalesce(lanes.parked_until, first.due_at)))), 0)
from senders
join lanes on lanes.sender_id = senders.id
cross join lateral (
  select messages.due_at from messages
  where messages.sender_id = senders.id and messages.phase = 'open'
    and messages.state in ('pending', 'retry_wait')
  order by messages.due_at limit 1) first
where senders.paused_at is null
  and first.due_at <= :now and lanes.free_at <= :now
  and (lanes.parked_until is null or lanes.parked_until <= :now)
  and not (lanes.day = (cast(:now as timestamptz) at time zone senders.zone)::date
           and lanes.used >= senders.daily_cap)
""")

# A long table of sent messages is never counted: only what is still open is, each by its own
# partial index, and what is settled over the last day.
_COUNTS = text("""
select state, count(*) from messages where phase = 'open' group by state
union all
select state, count(*) from messages where phase = 'doubt' group by state
""")

_WORK = text("""
select
  (select count(*) from tasks where state = 'open') as tasks_open,
  (select count(*) from provider_events where state = 'unmatched') as events_unmatched,
  (select count(*) from provider_events where state = 'stored') as events_waiting,
  (select count(*) from enrollments where state = 'active' and due_at <= :now)
    as enrollments_due,
  (select extract(epoch from clock_timestamp() - max(beat_at)) from heartbeats) as beat_age,
  (select extract(epoch from clock_timestamp() - max(canary_at)) from heartbeats) as canary_age,
  (select version_num from alembic_version) as migration
""")

# Workers that live and that no doorbell reaches: each rings one for itself every 15 seconds.
_DEAF = text(r"""
select worker, coalesce(canary_at, started_at) as since,
  extract(epoch from clock_timestamp() - coalesce(canary_at, started_at))\:\:float as seconds
from heartbeats
where beat_at > clock_timestamp() - interval '30 seconds'
  and coalesce(canary_at, started_at) < clock_timestamp() - interval '60 seconds'
order by since, worker
""")

# What the living workers told of their stages, with their last heartbeat.
_STAGES = text("""
select worker, detail->'stages' as stages from heartbeats
where beat_at > clock_timestamp() - interval '30 seconds' and detail ? 'stages'
order by worker
""")

_TOTALS = text("""
select relname, greatest(reltuples, 0)::bigint as estimate from pg_class
where relkind = 'r' and relnamespace = 'public'::regnamespace
  and relname in ('prospects', 'messages', 'enrollments', 'history')
""")

OPEN_STATES = ("pending", "retry_wait", "leased", "sending", "in_doubt")


@dataclass(frozen=True, slots=True)
class Deaf:
    """A worker that lives, and when the last doorbell reached it (or when it started)."""

    worker: str
    since: datetime
    seconds: float


@dataclass(frozen=True, slots=True)
class Pulse:
    """One look at the installation. Ages and delays in seconds; None: there was never one."""

    messages: dict[str, int] = field(default_factory=dict)
    overdue_seconds: float = 0.0
    tasks_open: int = 0
    events_unmatched: int = 0
    events_waiting: int = 0
    enrollments_due: int = 0
    beat_age: float | None = None
    canary_age: float | None = None
    migration: str | None = None
    deaf: tuple[Deaf, ...] = ()
    rows: dict[str, int] = field(default_factory=dict)  # estimates of the statistics collector
    stages: dict[str, Any] = field(default_factory=dict)  # by worker, as `orchestrator.stages` told

    @property
    def deaf_workers(self) -> int:
        """How many workers no doorbell reaches."""
        return len(self.deaf)


async def pulse(conn: AsyncConnection, now: datetime) -> Pulse:
    """Look once. `now` is the database's, the sandbox's lead included."""
    counts = dict.fromkeys(OPEN_STATES, 0)
    for state, count in await conn.execute(_COUNTS):
        counts[state] = count
    overdue = (await conn.execute(_OVERDUE, {"now": now})).scalar_one()
    work: dict[str, Any] = dict((await conn.execute(_WORK, {"now": now})).mappings().one())
    rows = await conn.execute(_TOTALS)
    deaf = await conn.execute(_DEAF)
    stages = await conn.execute(_STAGES)
    for age in ("beat_age", "canary_age"):
        work[age] = None if work[age] is None else float(work[age])
    return Pulse(
        messages=counts,
        overdue_seconds=float(overdue),
        rows={row.relname: row.estimate for row in rows},
        deaf=tuple(Deaf(row.worker, row.since, row.seconds) for row in deaf),
        stages={row.worker: row.stages for row in stages},
        **work,
    )
