"""Enroll people in the newest version of a sequence: once each, however often it is said."""

import time
from collections.abc import Iterable
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.abreast import abreast
from orchestrator.db import transaction
from orchestrator.flows.enrolling import (
    Chosen,
    Enrolling,
    Selection,
    batches,
    consider,
    prepare,
)
from orchestrator.ids import uuid7
from orchestrator.rules.context import PersonFacts
from orchestrator.rules.enrolling import HeldBack
from orchestrator.stages import observe
from orchestrator.store import enrolling as store
from orchestrator.store import history
from orchestrator.wiring import App

SHOWN = 200  # people held back that a report names
# While PostgreSQL writes one batch the next one is considered.
_ABREAST = 2
_MANY = 1_000  # enrolled in one go, so that PostgreSQL is told

Done = list[tuple[PersonFacts, Chosen | HeldBack]]


@dataclass(frozen=True, slots=True)
class Held:
    """Somebody who was held back."""

    prospect_id: UUID
    reason: str
    why: str


@dataclass(slots=True)
class EnrollReport:
    """What was committed. `waiting`: enrolled, but the first message waits as a task for this."""

    sequence: str
    version: int
    version_id: UUID
    considered: int = 0
    enrolled: int = 0
    waiting: dict[str, int] = field(default_factory=dict)
    senders: dict[str, int] = field(default_factory=dict)
    held: dict[str, int] = field(default_factory=dict)  # by reason
    held_people: list[Held] = field(default_factory=list)  # the first SHOWN


async def enroll(
    app: App,
    *,
    sequence: str,
    selection: Selection,
    now: datetime,
    sender: str | None = None,
    not_before: datetime | None = None,
    limit: int | None = None,
) -> EnrollReport:
    """Enroll those of `selection` who may be, at most `limit`, in batches of their own transaction.

    Their rows are locked first, so that an opt-out comes before or after and never in between (L4).
    Raises NotFound, and Conflict for a sequence or sender that takes nobody.
    """
    async with transaction(app.engine) as conn:
        at = await prepare(
            conn, app, sequence=sequence, sender=sender, now=now, not_before=not_before
        )
    report = EnrollReport(sequence, at.version.number, at.version.id)

    async def one(ids: list[UUID]) -> Done:
        began = time.monotonic()
        async with transaction(app.engine) as conn:
            room = None if limit is None else limit - report.enrolled
            done = await _batch(conn, at, ids, room)
        observe("plan", time.monotonic() - began, len(done))
        return done

    # Where there is a limit, a batch has to know what came of the one before.
    most = _ABREAST if limit is None else 1
    async with aclosing(abreast(one, batches(app, selection), most=most)) as batches_done:
        async for done in batches_done:
            _count(report, at, done)
            if limit is not None and report.enrolled >= limit:
                break
    if report.enrolled >= _MANY:
        async with transaction(app.engine) as conn:
            await store.note_growth(conn)
    return report


async def _batch(conn: AsyncConnection, at: Enrolling, ids: list[UUID], room: int | None) -> Done:
    await store.lock_people(conn, ids)
    considered = await consider(conn, at, ids)
    if room is not None:
        considered = _first(considered, room)
    rows = [
        (uuid7(), who.person.id, who.sender_id, who.due_at)
        for _, who in considered
        if isinstance(who, Chosen)
    ]
    new = await store.add_enrollments(
        conn, rows, version=at.version, step=at.program.first, now=at.now
    )
    lines: list[dict[str, object]] = [
        {
            "kind": "enrollment.created",
            "prospect_id": prospect_id,
            "enrollment_id": enrollment_id,
            "message_id": None,
            "detail": {"version": str(at.version.id), "sender": str(sender_id)},
        }
        for enrollment_id, prospect_id, sender_id, _ in rows
        if enrollment_id in new
    ]
    lines += [_held_line(at, person, who) for person, who in considered if _tells(who)]
    await history.append_many(conn, lines, at=at.now)
    created = {prospect_id for enrollment_id, prospect_id, *_ in rows if enrollment_id in new}
    return [
        (person, who)
        if isinstance(who, HeldBack) or person.id in created
        else (person, HeldBack("already_enrolled"))
        for person, who in considered
    ]


def _first(considered: Done, room: int) -> Done:
    """`considered` up to the last one that there is room for."""
    kept: Done = []
    for one in considered:
        if room == 0:
            break
        kept.append(one)
        room -= isinstance(one[1], Chosen)
    return kept


def _tells(who: Chosen | HeldBack) -> bool:
    # Saying it twice is no news: enrolling again every night would fill the history.
    return isinstance(who, HeldBack) and who.reason != "already_enrolled"


def _held_line(at: Enrolling, person: PersonFacts, who: Chosen | HeldBack) -> dict[str, object]:
    assert isinstance(who, HeldBack)
    return {
        "kind": "enrollment.held_back",
        "prospect_id": person.id,
        "enrollment_id": None,
        "message_id": None,
        "detail": {"sequence": str(at.version.sequence_id), "reason": who.reason},
    }


def _count(report: EnrollReport, at: Enrolling, done: Done) -> None:
    for person, who in done:
        report.considered += 1
        if isinstance(who, Chosen):
            report.enrolled += 1
            add_counts(report.waiting, who.missing)
            add_counts(report.senders, [at.pool.rows[who.sender_id]["name"]])
            continue
        add_counts(report.held, [who.reason])
        if len(report.held_people) < SHOWN:
            report.held_people.append(Held(person.id, who.reason, who.why()))


def add_counts(counts: dict[str, int], names: Iterable[str]) -> None:
    """Count `names` in a plain dict: dataclasses.asdict of Python 3.11 breaks a Counter."""
    for name in names:
        counts[name] = counts.get(name, 0) + 1
