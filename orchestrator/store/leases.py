"""The lease of a message with its fence: taken, renewed, released, expired; and a lane's pace.

Leases use the database's clock; due times use `now`.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.store.direct import Statement

_LEASE = Statement("""
update messages set state = 'leased', fence = fence + 1, attempt = attempt + 1,
  lease_owner = :owner, lease_until = clock_timestamp() + make_interval(secs => :seconds)
where id = any(cast(:ids as uuid[])) and state in ('pending', 'retry_wait')
returning id, fence, attempt
""")


async def lease(
    conn: AsyncConnection, ids: Sequence[UUID], *, owner: str, seconds: float
) -> dict[UUID, Mapping[str, Any]]:
    """Lease messages that this transaction has locked; each gets a higher fence."""
    if not ids:
        return {}
    values = {"ids": list(ids), "owner": owner, "seconds": seconds}
    return {row["id"]: row for row in await _LEASE.fetch(conn, values)}


_RENEW = text("""
with mine as (
  select m.id from messages m
  join unnest(cast(:ids as uuid[]), cast(:fences as bigint[])) as w(id, fence)
    on w.id = m.id and w.fence = m.fence
  where m.state = 'leased' and m.lease_until > clock_timestamp()
  for no key update of m skip locked
)
update messages m set lease_until = clock_timestamp() + make_interval(secs => :seconds)
from mine where m.id = mine.id
""")


async def renew(conn: AsyncConnection, held: Sequence[tuple[UUID, int]], *, seconds: float) -> int:
    """Let the leases (id, fence) that are still held last `seconds` from now. How many were. One
    that ran out stays so: the machine slept, or hung, and what the claim weighed is of then.

    A row that somebody is changing just now is left for the next time: waiting for several rows
    could be part of a deadlock.
    """
    ids, fences = zip(*held, strict=True)
    done = await conn.execute(
        _RENEW, {"ids": list(ids), "fences": list(fences), "seconds": seconds}
    )
    return done.rowcount


_HOLD = text("""
update messages m set due_at = h.until, last_class = h.reason
from unnest(cast(:ids as uuid[]), cast(:untils as timestamptz[]), cast(:reasons as text[]))
  as h(id, until, reason)
where m.id = h.id and m.state in ('pending', 'retry_wait')
""")


async def hold(conn: AsyncConnection, holds: dict[UUID, tuple[datetime, str]]) -> None:
    """Move unclaimed messages to a later due time: id -> (until, reason)."""
    if holds:
        untils, reasons = zip(*holds.values(), strict=True)
        await conn.execute(
            _HOLD, {"ids": list(holds), "untils": list(untils), "reasons": list(reasons)}
        )


_WAKE = text("""
update messages m set due_at = :now
from enrollments e
where e.id = m.enrollment_id and m.state in ('pending', 'retry_wait') and m.due_at > :now
  and m.last_class in ('sequence_paused', 'prospect_paused', 'missing_fact', 'enrollment_held',
    'late')
  and (e.sequence_id = :sequence or e.prospect_id = :prospect)
""")


async def wake(
    conn: AsyncConnection,
    *,
    now: datetime,
    sequence: UUID | None = None,
    prospect: UUID | None = None,
) -> None:
    """Let what a pause held be looked at again now: the claim decides anew."""
    await conn.execute(_WAKE, {"now": now, "sequence": sequence, "prospect": prospect})


async def look_again(conn: AsyncConnection, message_id: UUID, *, now: datetime) -> None:
    """A message that the sender held back is due now, since a person did what it waited for."""
    await conn.execute(
        text(
            "update messages set due_at = :now where id = :id and due_at > :now"
            " and state = 'retry_wait' and last_class in ('missing_fact', 'undeliverable')"
        ),
        {"id": message_id, "now": now},
    )


_DROP = text("""
update messages m set state = d.state, last_class = d.reason
from unnest(cast(:ids as uuid[]), cast(:states as text[]), cast(:reasons as text[]))
  as d(id, state, reason)
where m.id = d.id and m.state in ('pending', 'retry_wait')
""")


async def drop(conn: AsyncConnection, drops: dict[UUID, tuple[str, str]]) -> None:
    """End unclaimed messages: id -> (cancelled or suppressed, reason)."""
    if drops:
        states, reasons = zip(*drops.values(), strict=True)
        await conn.execute(
            _DROP, {"ids": list(drops), "states": list(states), "reasons": list(reasons)}
        )


_PACE = Statement("""
update lanes l set free_at = p.free_at, day = p.day, used = p.used
from unnest(cast(:ids as uuid[]), cast(:frees as timestamptz[]), cast(:days as date[]),
  cast(:useds as int[])) as p(id, free_at, day, used)
where l.sender_id = p.id
""")


async def pace(conn: AsyncConnection, paces: Sequence[dict[str, Any]]) -> None:
    """Write what a claim took from each lane: dicts of id, free_at, day, used."""
    if paces:
        await _PACE.fetch(
            conn,
            {
                "ids": [one["id"] for one in paces],
                "frees": [one["free_at"] for one in paces],
                "days": [one["day"] for one in paces],
                "useds": [one["used"] for one in paces],
            },
        )


_RELEASE = text("""
with was as (
  select id, state from messages
  where id = :id and fence = :fence and state in ('leased', 'sending', 'in_doubt')
  for no key update
), released as (
  update messages m set state = 'retry_wait', due_at = :due, lease_owner = null,
    lease_until = null, last_class = :reason, attempt = greatest(m.attempt - 1, 0)
  from was where m.id = was.id
  returning m.id, m.prospect_id, m.enrollment_id, was.state as was
), told as (
  insert into history (at, kind, prospect_id, enrollment_id, message_id, detail)
  select clock_timestamp(), 'message.released', prospect_id, enrollment_id, id,
    jsonb_build_object('fence', cast(:fence as bigint), 'reason', cast(:reason as text))
  from released where was <> 'leased'
)
select was from released
""")


async def release(
    conn: AsyncConnection, message_id: UUID, fence: int, *, due: datetime, reason: str
) -> str | None:
    """Give a message back that this claim provably did not send: also when the commit of its point
    of no return did not answer, and when it was put in doubt meanwhile. No attempt is burned.

    Returns the state that it had; None when the fence has moved on or the message was stopped."""
    done = await conn.execute(
        _RELEASE, {"id": message_id, "fence": fence, "due": due, "reason": reason}
    )
    was: str | None = done.scalar_one_or_none()
    return was


# No index tells what is leased from what only waits, since the lease is not to cost an index entry
# (migration 0007): the sweep reads all that is due. What is leased was due when it was; the hour is
# for a clock that is set back.
_DUE = (
    "phase = 'open' and due_at <= greatest(cast(:now as timestamptz), clock_timestamp())"
    " + interval '1 hour'"
)
_EXPIRE = text(f"""
update messages set state = 'retry_wait', lease_owner = null, lease_until = null,
  last_class = 'lease_expired'
where id in (select id from messages where {_DUE} and state = 'leased'
  and lease_until < clock_timestamp() limit :batch for no key update skip locked)
returning id, prospect_id, enrollment_id, fence
""")  # noqa: S608 - _DUE is a constant of this file


async def expire(conn: AsyncConnection, *, now: datetime, batch: int = 500) -> Sequence[RowMapping]:
    """Take back leases that ran out before the point of no return: provably unsent."""
    return (await conn.execute(_EXPIRE, {"now": now, "batch": batch})).mappings().all()


_DOUBT = text(f"""
update messages set state = 'in_doubt', lease_owner = null, lease_until = null,
  last_class = 'in_doubt', last_detail = 'no outcome was seen after the hand-over began'
where id in (select id from messages where {_DUE} and state = 'sending'
  and handed_at < clock_timestamp() - make_interval(secs => :seconds)
  limit :batch for no key update skip locked)
returning id, prospect_id, enrollment_id, step, fence
""")  # noqa: S608 - _DUE is a constant of this file


async def doubt(
    conn: AsyncConnection, *, now: datetime, seconds: float, batch: int = 500
) -> Sequence[RowMapping]:
    """Mark hand-overs that nobody settled within `seconds` as in doubt: never resent by itself."""
    values = {"now": now, "seconds": seconds, "batch": batch}
    return (await conn.execute(_DOUBT, values)).mappings().all()


_PARK = text("""
update lanes set parked_until = :until, park_reason = :reason, failures = failures + 1
where sender_id = :id
""")


async def park(conn: AsyncConnection, sender_id: UUID, *, until: datetime, reason: str) -> None:
    """Let a lane rest until `until`."""
    await conn.execute(_PARK, {"id": sender_id, "until": until, "reason": reason})


async def lane_failures(conn: AsyncConnection, sender_id: UUID) -> int:
    """How many troubles in a row this lane has had."""
    row = await conn.execute(
        text("select failures from lanes where sender_id = :id"), {"id": sender_id}
    )
    return int(row.scalar_one())
