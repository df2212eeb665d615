"""Close a task: somebody of ours did the work, and the sequence goes on from there."""

from datetime import date, datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.errors import BadInput, Conflict, NotFound
from orchestrator.flows import ending, going_on
from orchestrator.flows.decide_late import OUTCOMES as OF_LATE
from orchestrator.flows.decide_late import decide_late
from orchestrator.flows.engage import engage
from orchestrator.keys import Keys
from orchestrator.rules import gate
from orchestrator.rules.outgoing import OF_STEPS, own_step
from orchestrator.store import history, leases, messages, standing, tasks

_READ = frozenset({"interested", "stop", "no", "not_now", "continue"})
OUTCOMES: dict[str, frozenset[str]] = {
    "unclear_answer": _READ,
    "undeliverable": frozenset({"continue", "stop"}),
    "stranded": frozenset({"continue", "stop"}),
    "in_doubt": frozenset({"sent", "retry", "abandoned"}),
    "late": OF_LATE,
}
_ANY = frozenset({"done", "continue", "stop"})  # of every other kind


def outcomes(kind: str) -> frozenset[str]:
    """How a task of this kind can end."""
    return OUTCOMES.get(kind, _ANY)


async def close_task(
    conn: AsyncConnection,
    keys: Keys,
    *,
    task_id: UUID,
    outcome: str,
    now: datetime,
    by: str = "a person",
    only: str | None = None,
    **detail: Any,
) -> None:
    """Mark a task done and do what its outcome says. `by`: who decided, for the history. `only`:
    refuse tasks of another kind.

    `unclear_answer`: what the answer means (interested, stop, no, not_now with `until`, a date), or
    `continue` when it was no answer. `undeliverable`: continue or stop. `in_doubt`: sent, retry or
    abandoned. Any other: done (the sequence goes on) or stop. Raises NotFound, Conflict when it is
    closed, BadInput when the outcome does not fit.
    """
    seen = await tasks.get(conn, task_id)
    if seen is None:
        raise NotFound("There is no such task.")
    if only is not None and seen["kind"] != only:
        raise BadInput(f"This is no task about a message {only.replace('_', ' ')}.")
    if outcome not in outcomes(seen["kind"]):
        raise BadInput(f"This task can end in: {', '.join(sorted(outcomes(seen['kind'])))}.")
    owner: UUID | None = seen["prospect_id"]
    people = await _lock(conn, owner) if owner else {}
    enrolled = await standing.lock_enrollments(conn, people)
    task = await tasks.get(conn, task_id, lock=True)
    if task is None or not await tasks.mark(conn, task_id, state="done", outcome=outcome, now=now):
        raise Conflict("The task is closed already.")
    await history.append(
        conn,
        "task.done",
        at=now,
        prospect_id=owner,
        enrollment_id=task["enrollment_id"],
        message_id=task["message_id"],
        task=str(task_id),
        task_kind=task["kind"],
        outcome=outcome,
        decided_by=by,
    )
    if owner is None:
        return
    row = next((one for one in enrolled if one["id"] == task["enrollment_id"]), None)
    if task["kind"] == "unclear_answer":
        await _answer(conn, keys, task, people[owner], outcome, now, detail.get("until"))
    elif task["kind"] == "in_doubt":
        await _doubt(conn, task, row, people[owner], outcome, now, by)
    elif row is not None and task["kind"] == "late" and outcome != "stop":
        await decide_late(conn, task, row, people[owner], outcome, now)
    elif row is not None:
        await _work(conn, task, row, people[owner], outcome, now)


async def _lock(conn: AsyncConnection, owner: UUID) -> dict[UUID, RowMapping]:
    """The prospect's row, with those of the colleagues whom an answer would stop, in one go: taken
    one after the other they could deadlock with a colleague's answer."""
    whole = await standing.stops_company(conn, owner)
    others = await standing.colleagues(conn, owner) if whole else []
    return await standing.lock_prospects(conn, [owner, *others])


async def _answer(
    conn: AsyncConnection,
    keys: Keys,
    task: RowMapping,
    person: RowMapping,
    outcome: str,
    now: datetime,
    until: object,
) -> None:
    """A person has read the answer: what they say replaces the verdict, as a new engagement."""
    if outcome == "continue":
        await going_on.go_on_all(conn, person["id"], person, now=now)
        return
    if outcome == "not_now" and not (isinstance(until, date) and until > now.date()):
        raise BadInput("`not_now` needs `until`, a date that is still to come.")
    was = task["detail"].get("kind")
    await engage(
        conn,
        keys,
        prospect_id=person["id"],
        kind=was if was in ("tap", "form", "reaction", "direct_message") else "reply",
        grade="human",
        meaning=cast(gate.Meaning, outcome),
        reasons=["read by a person"],
        message_id=task["message_id"],
        enrollment_id=task["enrollment_id"],
        happened_at=now,
        now=now,
        until=until if isinstance(until, date) else None,
        revises=UUID(task["detail"]["engagement"]) if "engagement" in task["detail"] else None,
        by_person=True,
    )


async def _work(
    conn: AsyncConnection,
    task: RowMapping,
    row: RowMapping,
    person: RowMapping,
    outcome: str,
    now: datetime,
) -> None:
    """The enrollment goes on if it waits for this very task. After a task of the sequence it takes
    the next step; for a missing fact or zone the same step is tried again."""
    if outcome == "stop":
        await ending.end(conn, [row], reason=f"task {task['kind']}", now=now)
        return
    if task["message_id"] is not None:  # the sender held it back: it is on its way
        await leases.look_again(conn, task["message_id"], now=now)
    if row["state"] != "held" or row["step"] != task["step"]:
        return
    own, unread = await tasks.blocking(conn, person["id"])
    if unread or row["id"] in own:
        return
    if task["kind"] == "manual":
        await going_on.next_step(conn, row, person, now=now)
    else:
        await going_on.go_on(conn, row, person, now=now)


async def _doubt(
    conn: AsyncConnection,
    task: RowMapping,
    row: RowMapping | None,
    person: RowMapping,
    outcome: str,
    now: datetime,
    by: str,
) -> None:
    """Somebody looked where the machine cannot: did the message leave?"""
    state = {"sent": "sent", "retry": "retry_wait", "abandoned": "abandoned"}[outcome]
    message = await messages.get(conn, task["message_id"])
    if message is None:
        raise NotFound("The message of this task is gone.")
    stopped = row is None or row["state"] not in gate.RUNNING or row["answered_at"] is not None
    # A confirmation was asked for, and outlives its sequence: at least once, with one Message-ID.
    if state == "retry_wait" and stopped and message["kind"] in OF_STEPS:
        raise Conflict("The sequence is over for this person: choose sent or abandoned.")
    if not await standing.settle_doubt(conn, task["message_id"], state=state, now=now):
        return  # evidence came first
    await history.append(
        conn,
        f"message.{state}",
        at=now,
        prospect_id=person["id"],
        enrollment_id=task["enrollment_id"],
        message_id=task["message_id"],
        by=by,
    )
    step = own_step(message["kind"], message["step"])
    at_step = row is not None and row["state"] == "sending" and row["step"] == step
    if row is not None and at_step and state != "retry_wait":
        if message["kind"] == "request":
            await going_on.await_admission(conn, row, now=now)
        else:
            await going_on.next_step(conn, row, person, now=now)
    elif row is not None and row["state"] == "held":  # an answer was read before this was settled
        await going_on.go_on_all(conn, person["id"], person, now=now)
