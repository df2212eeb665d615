"""The laws, asked of the database and of the provider's ledger after every step."""

from collections import Counter, defaultdict
from collections.abc import Collection
from typing import Any
from uuid import UUID

from sqlalchemy import text

from orchestrator.db import transaction
from tests.model.house import House
from tests.model.provider import Hand
from tests.model.stops import Beliefs
from tests.model.town import SENDERS, Person, pain_of

_UNSENT = frozenset({"pending", "retry_wait", "leased"})
_STATES = """
select id, state, step from messages
"""
# A lease taken and given back says nothing to anybody: who has it and under which fence is on the
# row, and whatever took it away has its own line.
_SILENT = {("pending", "leased"), ("retry_wait", "leased"), ("leased", "retry_wait")}
_UNTOLD = """
select c.of, c.id, c.was, c.becomes, c.step_was, c.step from model_changes c
where c.number > :seen and (c.was, coalesce(c.step_was, '')) is distinct from
    (c.becomes, coalesce(c.step, ''))
  and not exists (select 1 from model_lines l join history h on h.id = l.history_id
    where l.tx = c.tx and (h.message_id = c.id or h.enrollment_id = c.enrollment_id
      or h.prospect_id = c.prospect_id))
"""
_FENCES = """
select id, was, becomes, fence_was, fence from model_changes
where of = 'message' and number > :seen and fence_was is not null
  and (fence < fence_was or (becomes = 'leased' and was <> 'leased' and fence <> fence_was + 1)
    or (becomes <> 'leased' and fence <> fence_was))
"""
_HALF = """
select id, step, state, 'active and never due' as why from enrollments
  where state = 'active' and due_at is null
union all select id, step, state, 'over and due' from enrollments
  where state in ('finished', 'stopped') and (due_at is not null or ended_at is null)
union all select e.id, e.step, e.state, 'sending without a message' from enrollments e
  where e.state = 'sending' and not exists
    (select 1 from messages m where m.enrollment_id = e.id and m.step = e.step)
union all select e.id, e.step, e.state, 'its message is sent and it stands there' from enrollments e
  join messages m on m.enrollment_id = e.id and m.step = e.step
  where e.state = 'sending' and m.state in ('sent', 'abandoned')
union all select e.id, e.step, e.state, 'gone on while its message is ' || m.state
  from enrollments e join messages m on m.enrollment_id = e.id and m.kind <> 'call_offer'
  where m.state in ('pending', 'leased', 'retry_wait') and e.state in ('active', 'sending')
    and m.step <> e.step
"""
_UNEARNED = """
select u.id from unlocks u join engagements g on g.id = u.engagement_id
where g.grade <> 'human' or g.prospect_id <> u.prospect_id or g.meaning <> 'interested'
union all select m.id from messages m where m.kind = 'call_offer' and not exists
  (select 1 from unlocks u where u.id = m.unlock_id and u.prospect_id = m.prospect_id)
"""
_THERE = """
select 'event', external_id from provider_events where state <> 'failed'
union all select 'enrollment', cast(id as text) from enrollments
union all select 'opt-out', cast(id as text) from prospects where opted_out_at is not null
union all select 'pause of a person', cast(id as text) from prospects where paused_at is not null
union all select 'bounce', cast(id as text) from identities where state = 'bounced'
union all select 'pause of a sequence', name from sequences where state = 'paused'
union all select 'pause of a sender', name from senders where paused_at is not null
"""
_UNREADABLE = "select kind, attempt, error from provider_events where error is not null"
_PROGRESS = """
select (select coalesce(max(number), 0) from model_changes),
  (select count(*) from tasks where state = 'open')
"""


class Broken(AssertionError):
    """A law does not hold."""


def passed(house: House, beliefs: Beliefs, people: dict[UUID, Person], hand: Hand) -> None:
    """The point of no return was passed just now: by nobody who was stopped (L4), in their hours
    (L5), to where they read."""
    row, person = hand.claimed.row, people[hand.claimed.row.prospect_id]
    _, sequence = beliefs.enrolled[row.enrollment_id]
    sender = next(one for one in SENDERS if hand.claimed.row.sender_id == house.senders[one])
    if found := beliefs.against(hand, sender):
        raise Broken(f"L4: {row.kind} {row.step} was handed over though: {', '.join(found)}")
    if not person.may_read(sequence, house.clock.now):
        raise Broken(f"L5: {sequence} at {house.clock.now} to {person.lives}")


def ledger(house: House, people: dict[UUID, Person]) -> None:
    """L2 and L6, of what the provider has."""
    entries = house.provider.ledger
    for (enrolled, step), count in Counter((e.enrollment, e.step) for e in entries).items():
        if count > 1:
            raise Broken(f"L2: {step} of {enrolled} was taken {count} times")
    for entry in entries:
        person = people[entry.prospect]
        if entry.recipient != person.address:
            raise Broken("a message went to somebody else")
        if entry.step == "hello" and pain_of(person) not in entry.text:
            raise Broken("L6: a message left without its homework")


async def database(house: House, beliefs: Beliefs) -> None:
    """The other laws, of every row. Looks at changes since the last time."""
    async with transaction(house.engine) as conn:

        async def ask(query: str) -> list[Any]:
            seen = {"seen": house.seen} if ":seen" in query else {}
            return list((await conn.execute(text(query), seen)).all())

        _taken(house, {row.id: row for row in await ask(_STATES)})
        for law, query in (
            ("L7: a change without a line", _UNTOLD),
            ("a fence that fell, rose or stood still", _FENCES),
            ("an enrollment half advanced", _HALF),
            ("L1: a call that was not earned", _UNEARNED),
            ("L3: an answer that nobody can read", _UNREADABLE),
        ):
            found = await ask(query)
            told = [one for one in found if not law.startswith("L7") or one[2:4] not in _SILENT]
            if told:
                raise Broken(f"{law}: {[tuple(one) for one in told[:3]]}")
        _kept(beliefs, await ask(_THERE))
        [(house.seen, house.tasks)] = await ask(_PROGRESS)


def _taken(house: House, rows: dict[UUID, Any]) -> None:
    for entry in house.provider.ledger:
        if entry.message not in rows:
            raise Broken("L3: a message that was taken is unknown here")
        if (state := rows[entry.message].state) in _UNSENT:
            raise Broken(f"L2: {entry.step} was taken and is {state}: it would leave again")
    for row in rows.values():
        if row.state == "sent" and not house.provider.has(row.id):
            raise Broken(f"L3: {row.step} is said to be sent, and the provider never had it")


def _kept(beliefs: Beliefs, rows: list[Any]) -> None:
    """L3: what was accepted is there, whoever died since."""
    there: defaultdict[str, set[str]] = defaultdict(set)
    for what, name in rows:
        there[what].add(name)
    accepted: dict[str, Collection[object]] = {
        "event": beliefs.accepted,
        "enrollment": set(beliefs.enrolled),
        "opt-out": beliefs.opted_out,
        "pause of a person": beliefs.paused,
        "bounce": beliefs.bounced,
        "pause of a sequence": beliefs.sequences_paused,
        "pause of a sender": beliefs.senders_paused,
    }
    for what, wanted in accepted.items():
        if lost := {str(one) for one in wanted} - there[what]:
            raise Broken(f"L3: {what} accepted and gone: {sorted(lost)[:3]}")


async def unfinished(house: House) -> list[Any]:
    """Enrollments that run, and about which nobody has a task."""
    return await house.rows(
        "select e.state, e.step, e.due_at as looked_at, m.state as message, m.due_at, m.last_class"
        " from enrollments e"
        " left join messages m on m.enrollment_id = e.id and m.step = e.step"
        " where e.state in ('active', 'sending', 'held') and not exists"
        " (select 1 from tasks t where t.state = 'open' and t.prospect_id = e.prospect_id)"
    )


async def nothing_forgotten(house: House) -> None:
    """At the end of time: each enrollment came to its end, or waits for a task that is open."""
    if left := await unfinished(house):
        raise Broken(
            f"L3: these came to no end, and nobody was told by {house.clock.now}: "
            f"{[tuple(map(str, one)) for one in left]}"
        )
    stuck = await house.rows("select state from messages where state in ('leased', 'sending')")
    if stuck:
        raise Broken(f"L3: messages that nobody works on: {stuck}")
