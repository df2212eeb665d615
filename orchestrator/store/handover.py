"""The point of no return and the settlement, for many messages in one transaction.

Lock order, the same everywhere: senders, sequences, prospects by id, enrollments, messages. What
stops a person takes the prospect's row first, what pauses a sequence or a sender takes its row: the
statements here run after those locks are held and see every stop that was committed before (L4).
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.line import Driver
from orchestrator.store.direct import Statement

_SHARED = Statement("""
with a as materialized (
  select 1 from senders where id = any(cast(:senders as uuid[])) order by id for share
), s as materialized (
  select 1 from sequences where id = any(cast(:sequences as uuid[]))
    and (select count(*) from a) >= 0 -- after the senders, whatever the plan
  order by id for share
), p as materialized (
  select 1 from prospects where id = any(cast(:prospects as uuid[]))
    and (select count(*) from s) >= 0 -- after the sequences
  order by id for no key update
)
select count(*) from p
""")

_EXCLUSIVE = Statement("select 1 from senders where id = :id for no key update")


async def lock(
    conn: AsyncConnection | Driver,
    *,
    senders: Collection[UUID],
    sequences: Collection[UUID],
    prospects: Collection[UUID],
    exclusive: UUID | None = None,
) -> None:
    """Take the locks that make the checks of `pass_point` true until the commit. `exclusive` is a
    sender that this transaction will change."""
    if exclusive is not None:
        await _EXCLUSIVE.fetch(conn, {"id": exclusive})
    wanted = {"senders": senders, "sequences": sequences, "prospects": prospects}
    await _SHARED.fetch(conn, {name: list(set(ids)) for name, ids in wanted.items()})


# Of a message m of enrollment e, sequence s, sender a and prospect p. A host's copy concerns no
# prospect; a confirmation was asked for, and heeds only a no.
MAY_LEAVE = r"""
    p.id = m.prospect_id and a.paused_at is null
    and (m.kind = 'host_invitation' or (
      p.opted_out_at is null
      and exists (select 1 from identities i where i.id = m.identity_id and i.state = 'usable'
        and not exists (select 1 from suppressions x where x.address_hash = i.address_hash))
      and not exists (select 1 from suppressions x
        where x.scope = 'person' and x.prospect_id = p.id)
      and not exists (select 1 from identities o join suppressions x
        on x.address_hash = o.address_hash and x.scope = 'person' where o.prospect_id = p.id)
      and (m.kind = 'invitation' or (
        s.state = 'active' and p.paused_at is null
        -- An answer that was taken and not yet read: it is read within a second, this waits for it.
        and not exists (select 1 from provider_events x where x.state = 'stored'
          and (x.detail->'prospects' ? cast(p.id as text)
            or x.detail->'refs' ?| array(select o.rfc_message_id from messages o
              where o.prospect_id = p.id)))
        and (p.not_before is null or p.not_before <= :now)
        and e.state = 'sending'
        and m.step = e.step || case when m.kind = 'request' then '\:request' else '' end
        and (e.answered_at is null or m.kind = 'call_offer')))))
"""

_PASS = Statement(
    rf"""
with passed as (
  update messages m set state = 'sending', handed_at = clock_timestamp()
  from unnest(cast(:ids as uuid[]), cast(:fences as bigint[])) as w(id, fence),
    enrollments e, sequences s, senders a, prospects p
  where m.id = w.id and m.fence = w.fence and m.state = 'leased'
    and m.lease_until > clock_timestamp() + make_interval(secs => :budget)
    and e.id = m.enrollment_id and s.id = e.sequence_id and a.id = m.sender_id
    and {MAY_LEAVE}
  returning m.id, m.fence, m.prospect_id, m.enrollment_id, m.attempt, m.lease_owner
), told as (
  insert into history (at, kind, prospect_id, enrollment_id, message_id, detail)
  select :now, 'message.sending', prospect_id, enrollment_id, id,
    jsonb_build_object('attempt', attempt, 'fence', fence, 'worker', lease_owner)
  from passed
)
select id from passed
"""  # noqa: S608 - MAY_LEAVE is a constant of this file
)


async def pass_point(
    conn: AsyncConnection | Driver,
    wanted: Sequence[tuple[UUID, int]],
    *,
    budget: float,
    now: datetime,
) -> set[UUID]:
    """Move leased messages (id, fence) to `sending` where nothing forbids it. `budget` is how many
    seconds of lease must be left. Returns those that may be sent."""
    rows = await _PASS.fetch(
        conn,
        {
            "ids": [one for one, _ in wanted],
            "fences": [fence for _, fence in wanted],
            "budget": budget,
            "now": now,
        },
    )
    return {row["id"] for row in rows}


# A message that was put in doubt meanwhile takes its outcome all the same, with the same fence:
# late evidence resolves it. `spared`: what befell the account burns no attempt of the message.
_SETTLE = Statement(r"""
with settled as (
  update messages m set attempt = m.attempt - w.spared,
    state = case when m.state = 'in_doubt' and w.state = 'failed' then 'abandoned' else w.state end,
    settled_at = :now, due_at = coalesce(w.due_at, m.due_at),
    provider_ref = coalesce(w.provider_ref, m.provider_ref), last_class = w.class,
    last_detail = w.detail, lease_owner = null, lease_until = null
  from unnest(cast(:ids as uuid[]), cast(:fences as bigint[]), cast(:states as text[]),
    cast(:dues as timestamptz[]), cast(:refs as text[]), cast(:classes as text[]),
    cast(:details as text[]), cast(:spared as int[]))
    as w(id, fence, state, due_at, provider_ref, class, detail, spared)
  where m.id = w.id and m.fence = w.fence and (
    m.state = 'sending'
    or (m.state = 'leased' and w.state in ('retry_wait', 'failed'))
    or (m.state = 'in_doubt' and w.state in ('sent', 'retry_wait', 'failed')))
  returning m.id, m.prospect_id, m.enrollment_id, m.step, m.kind, m.state, m.fence, m.sender_id,
    m.last_class, m.attempt + w.spared as attempt,
    (select o.state from messages o where o.id = m.id) as was -- as this statement began
), told as (
  insert into history (at, kind, prospect_id, enrollment_id, message_id, detail)
  select :now, 'message.' || state, prospect_id, enrollment_id, id,
    jsonb_build_object('attempt', attempt, 'fence', fence, 'class', last_class, 'step', step,
      'message_kind', kind)
  from settled
), moved as (
  update enrollments e set
    step = coalesce(w.next_step, e.step),
    state = case when w.next_step is null then 'finished' else 'active' end,
    stop_reason = case when w.next_step is null then w.end_reason end,
    ended_at = case when w.next_step is null then cast(:now as timestamptz) end,
    due_at = w.next_due, entered_step_at = :now
  from settled d join unnest(cast(:ids as uuid[]), cast(:next_steps as text[]),
    cast(:next_dues as timestamptz[]), cast(:end_reasons as text[]))
    as w(id, next_step, next_due, end_reason) on w.id = d.id
  where d.state = 'sent' and d.kind in ('request', 'outreach', 'call_offer')
    and e.id = d.enrollment_id and e.state = 'sending'
    and d.step = e.step || case when d.kind = 'request' then '\:request' else '' end
  returning e.id, e.prospect_id, e.state, e.step, e.stop_reason
), ended as (
  insert into history (at, kind, prospect_id, enrollment_id, detail)
  select :now, 'enrollment.finished', prospect_id, id,
    jsonb_build_object('step', step, 'reason', stop_reason)
  from moved where state = 'finished'
), rested as (
  update lanes l set failures = 0 where l.failures > 0
    and l.sender_id in (select sender_id from settled where state = 'sent')
)
select id, was from settled
""")


async def settle(
    conn: AsyncConnection | Driver, outcomes: Sequence[Mapping[str, Any]], *, now: datetime
) -> dict[UUID, str]:
    """Write outcomes, guarded by the fence, and move the enrollments of what was sent.

    Each is a dict of id, fence, state, due_at, provider_ref, class, detail, next_step, next_due,
    end_reason, spared. Returns the ids that were written, each with the state that it had: a stale
    fence writes nothing.
    """
    columns = ("id", "fence", "state", "due_at", "provider_ref", "class", "detail", "next_step",
               "next_due", "end_reason", "spared")  # fmt: skip
    names = ("ids", "fences", "states", "dues", "refs", "classes", "details", "next_steps",
             "next_dues", "end_reasons", "spared")  # fmt: skip
    values: dict[str, Any] = {
        name: [one[column] for one in outcomes] for name, column in zip(names, columns, strict=True)
    }
    rows = await _SETTLE.fetch(conn, values | {"now": now})
    return {row["id"]: row["was"] for row in rows}


_ANSWERED = Statement("""
update tasks set state = 'cancelled', closed_at = :now
where message_id = any(cast(:ids as uuid[])) and state = 'open' and kind = 'in_doubt'
returning id
""")


async def answer_doubts(
    conn: AsyncConnection | Driver, ids: Sequence[UUID], *, now: datetime
) -> None:
    """Cancel the open questions whether these messages have left: their outcome answers them."""
    await _ANSWERED.fetch(conn, {"ids": list(ids), "now": now})


_STATES = Statement("select id, state, fence from messages where id = any(cast(:ids as uuid[]))")


async def states(
    conn: AsyncConnection | Driver, ids: Sequence[UUID]
) -> dict[UUID, Mapping[str, Any]]:
    """State and fence of messages, to learn the outcome of a commit that did not answer."""
    return {row["id"]: row for row in await _STATES.fetch(conn, {"ids": list(ids)})}
