"""Record an engagement and do what the gate decides about it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.errors import NotFound
from orchestrator.flows import ending, going_on
from orchestrator.flows.snooze_person import snooze_locked
from orchestrator.flows.stop_person import stop_person
from orchestrator.keys import Keys
from orchestrator.rules import gate
from orchestrator.rules.program import Program
from orchestrator.store import engagements, history, standing, tasks


@dataclass(frozen=True, slots=True)
class _Scene:
    """What the hands below need: the locked rows, and the engagement."""

    engagement_id: UUID
    person: RowMapping
    matched: RowMapping | None
    others: Sequence[RowMapping]  # running ones, but the matched
    answer: gate.Answer
    message_id: UUID | None
    provider_event_id: UUID | None
    now: datetime
    since: frozenset[gate.Meaning]
    said: dict[str, list[str]]  # whom to ask instead, what they ask


async def engage(
    conn: AsyncConnection,
    keys: Keys,
    *,
    prospect_id: UUID,
    kind: str,
    grade: gate.Grade,
    meaning: gate.Meaning | None = None,
    reasons: Iterable[str] = (),
    message_id: UUID | None = None,
    enrollment_id: UUID | None = None,
    provider_event_id: UUID | None = None,
    happened_at: datetime,
    now: datetime,
    until: date | None = None,
    whole_company: bool = False,
    revises: UUID | None = None,
    by_person: bool = False,
    stamped: bool = False,
    doubt: str = "perhaps an automatic answer",
    whom: Iterable[str] = (),
    asks: Iterable[str] = (),
) -> UUID:
    """Append the engagement and apply `rules.gate.decide`. Returns the engagement's id.

    Without `enrollment_id` it is about the message's enrollment, else about the newest that runs,
    else about the newest. `whole_company`, or a sequence that says so, stops the colleagues of
    whoever answered. `revises`: the earlier verdict that this one replaces. `by_person`: one of us
    has read it. `stamped`: `happened_at` is of the provider's clock, so that what the person said
    after it outweighs it, in whichever order the two came. `doubt`: why one of us has to read an
    ambiguous mail. `whom`, `asks`: the people they name instead, and their questions, for the task.
    Raises NotFound.
    """
    human = grade == "human" and (meaning is not None or kind in ("reply", "direct_message"))
    whole = human and (whole_company or await standing.stops_company(conn, prospect_id))
    colleagues = await standing.colleagues(conn, prospect_id) if whole else []
    people = await standing.lock_prospects(conn, [prospect_id, *colleagues])
    if prospect_id not in people:
        raise NotFound("There is no such prospect.")
    enrolled = await standing.lock_enrollments(conn, people)
    own = [row for row in enrolled if row["prospect_id"] == prospect_id]
    if enrollment_id is None and message_id is not None:
        enrollment_id = await engagements.enrollment_of_message(conn, message_id)
    matched = _choose(own, enrollment_id)
    late = stamped and grade == "human"
    since = await engagements.meanings_since(conn, prospect_id, happened_at) if late else ()
    made = await engagements.add(
        conn,
        prospect_id=prospect_id,
        kind=kind,
        grade=grade,
        meaning=meaning,
        reasons=reasons,
        happened_at=happened_at,
        now=now,
        enrollment_id=matched["id"] if matched else None,
        message_id=message_id,
        provider_event_id=provider_event_id,
        revises=revises,
    )
    scene = _Scene(
        engagement_id=made,
        person=people[prospect_id],
        matched=matched,
        others=[row for row in own if row is not matched and row["state"] in gate.RUNNING],
        answer=gate.Answer(kind, grade, meaning, until, by_person, doubt),
        message_id=message_id,
        provider_event_id=provider_event_id,
        now=now,
        since=frozenset(since),
        said={"whom": list(whom), "asks": list(asks)},
    )
    await _apply(conn, scene)
    rest = [row for row in enrolled if row["prospect_id"] != prospect_id]
    await ending.end(conn, rest, reason=gate.COMPANY + "a colleague answered", now=now)
    return made


def _choose(own: Sequence[RowMapping], enrollment_id: UUID | None) -> RowMapping | None:
    """The enrollment that an engagement is about. Ids grow with time."""
    for row in own:
        if row["id"] == enrollment_id:
            return row
    running = [row for row in own if row["state"] in gate.RUNNING]
    candidates = running or list(own)
    return candidates[-1] if candidates else None


async def _apply(conn: AsyncConnection, scene: _Scene) -> None:
    row, answer = scene.matched, scene.answer
    program = Program.model_validate(row["definition"]) if row else None
    where = gate.Standing(
        state=row["state"] if row else None,
        step=row["step"] if row else None,
        stop_reason=row["stop_reason"] if row else None,
        unlocked=bool(row and row["unlocked"]),
        opted_out=scene.person["opted_out_at"] is not None,
        since=scene.since,
    )
    decision = gate.decide(answer, program, where, scene.now)
    await history.append(
        conn,
        "engagement.recorded",
        at=scene.now,
        prospect_id=scene.person["id"],
        enrollment_id=row["id"] if row else None,
        message_id=scene.message_id,
        engagement=str(scene.engagement_id),
        engaged_by=answer.kind,
        grade=answer.grade,
        meaning=answer.meaning,
        action=decision.action,
        reason=decision.reason,
    )
    if answer.grade == "human" and decision.action not in ("note", "hold", "ask"):
        await tasks.cancel_unclear(conn, scene.person["id"], now=scene.now)
    await _move_others(conn, scene, decision)
    await _move(conn, scene, decision)
    if decision.action == "end" and scene.since & gate.TO_READ.keys():
        await _ask(conn, scene, "unclear answer")  # the newer one is still to be read


async def _move(conn: AsyncConnection, scene: _Scene, decision: gate.Decision) -> None:
    """What the decision does to the enrollment that was answered."""
    row, now = scene.matched, scene.now
    match decision.action:
        case "stop":
            await stop_person(conn, prospect_id=scene.person["id"], reason="opt_out", now=now)
        case "postpone":
            await _postpone(conn, scene)
        case "unlock" | "proceed" if row is not None:
            await _open(conn, scene, row, decision)
        case "end" if row is not None:
            await ending.end(conn, [row], reason=decision.reason, now=now, answered=True)
            if decision.reason == gate.ANSWERED:
                await _ask(conn, scene, "interested, and the sequence has no call to offer")
        case "hold" if row is not None:
            await _hold(conn, scene, [row], decision.reason)
            await _ask(conn, scene, decision.reason)
        case "hold" | "ask":
            await _ask(conn, scene, decision.reason)
        case "resume" if row is not None:
            await going_on.go_on(conn, row, scene.person, now=now)
        case _:
            pass


async def _move_others(conn: AsyncConnection, scene: _Scene, decision: gate.Decision) -> None:
    """One person, one conversation: what runs beside the answered sequence gives way to it."""
    match decision.others:
        case "stop":
            declined = decision.reason == gate.DECLINED
            reason = gate.DECLINED if declined else gate.ELSEWHERE
            await ending.end(conn, scene.others, reason=reason, now=scene.now, answered=True)
        case "hold":
            await _hold(conn, scene, scene.others, decision.reason)
        case "stay" | "postpone":
            pass  # `postpone` is about the person: _postpone moves every sequence at once


async def _open(
    conn: AsyncConnection, scene: _Scene, row: RowMapping, decision: gate.Decision
) -> None:
    """Take the `then` edge; with a call behind it, write the unlock that its offer needs."""
    assert decision.go is not None
    detail: dict[str, Any] = {}
    if decision.call is not None:
        host = await engagements.host_id(conn, decision.call.host)
        if host is None:
            await _hold(conn, scene, [row], "no such host")
            await _ask(conn, scene, f"interested, but there is no host `{decision.call.host}`")
            return
        unlock = await engagements.add_unlock(
            conn,
            engagement_id=scene.engagement_id,
            prospect_id=row["prospect_id"],
            enrollment_id=row["id"],
            host_id=host,
            minutes=decision.call.minutes,
            now=scene.now,
        )
        detail = {"unlock": str(unlock)}
    if "no" in scene.since:
        await _note_unlock(conn, scene, row, detail)
        return
    await ending.cancel(conn, [row["id"]], reason=gate.ANSWERED, now=scene.now)
    due = await _not_before(conn, scene)
    await standing.move_enrollment(
        conn, row["id"], step=decision.go, due_at=due, now=scene.now, answered=True
    )
    await _note_unlock(conn, scene, row, detail | {"step": decision.go, "was": row["state"]})


async def _note_unlock(
    conn: AsyncConnection, scene: _Scene, row: RowMapping, detail: dict[str, Any]
) -> None:
    await history.append(
        conn,
        "enrollment.unlocked" if "unlock" in detail else "enrollment.answered",
        at=scene.now,
        prospect_id=row["prospect_id"],
        enrollment_id=row["id"],
        engagement=str(scene.engagement_id),
        **detail,
    )


async def _not_before(conn: AsyncConnection, scene: _Scene) -> datetime:
    """When the answer is followed up: now, since interest takes an earlier "not now" back; unless
    that one was said after it."""
    until: datetime | None = scene.person["not_before"]
    if "not_now" in scene.since and until is not None:
        return max(until, scene.now)
    if until is not None:
        await standing.set_prospect(conn, scene.person["id"], now=scene.now, not_before=None)
    return scene.now


async def _hold(
    conn: AsyncConnection, scene: _Scene, rows: Sequence[RowMapping], reason: str
) -> None:
    """Nothing moves until a person has read it. Messages keep their place, without leases."""
    running = [row for row in rows if row["state"] in gate.RUNNING]
    await standing.hold_enrollments(conn, [row["id"] for row in running])
    await standing.release_messages(conn, scene.person["id"])
    for row in running:
        await history.append(
            conn,
            "enrollment.held",
            at=scene.now,
            prospect_id=row["prospect_id"],
            enrollment_id=row["id"],
            reason=reason,
        )


async def _ask(conn: AsyncConnection, scene: _Scene, reason: str) -> None:
    """A task: read this answer and say what it means."""
    row = scene.matched
    said = "; ".join(one for said in scene.said.values() for one in said)[:200]
    await tasks.open_task(
        conn,
        kind="unclear_answer",
        title=f"Read the answer: {reason}" + (f": {said}" if said else ""),
        prospect_id=scene.person["id"],
        enrollment_id=row["id"] if row else None,
        message_id=scene.message_id,
        step=row["step"] if row else None,
        detail={
            "engagement": str(scene.engagement_id),
            "kind": scene.answer.kind,
            "meaning": scene.answer.meaning,
            "reason": reason,
            **{name: said for name, said in scene.said.items() if said},
            "provider_event": str(scene.provider_event_id) if scene.provider_event_id else None,
        },
        now=scene.now,
    )


async def _postpone(conn: AsyncConnection, scene: _Scene) -> None:
    assert scene.answer.until is not None
    at = gate.start_of_day(scene.answer.until, scene.person["zone"])
    await snooze_locked(conn, scene.person["id"], at, scene.now)
    await going_on.go_on_all(conn, scene.person["id"], scene.person, now=scene.now)
