"""Plan: turn due enrollments into messages, tasks, waits and ends. One transaction a batch."""

import time
from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from channels.base import Inviting
from channels.crash_points import point
from orchestrator.db import transaction
from orchestrator.flows.deciding import decide
from orchestrator.flows.planning import House, Plan, Row, Standing
from orchestrator.rules import progress
from orchestrator.rules.context import PersonFacts
from orchestrator.rules.program import BranchStep, Program
from orchestrator.rules.watermark import START, Mark, Watermarks
from orchestrator.stages import observe
from orchestrator.store import (
    connections,
    enrollments,
    history,
    messages,
    people,
    senders,
    sequences,
    tasks,
)
from orchestrator.wiring import App

BATCH = 500


_LANE = UUID(int=0)  # all enrollments are one lane to the planner's watermark


async def plan(
    app: App, now: datetime, *, batch: int = BATCH, watermarks: Watermarks | None = None
) -> int:
    """Plan up to `batch` due enrollments, after the `watermarks` of earlier batches. Returns how
    many were looked at.

    Any number of planners may run: each locks what it plans, and a step's message is unique.
    """
    began = time.monotonic()
    async with transaction(app.engine) as conn:
        mark = watermarks.at(began).get(_LANE, START) if watermarks else START
        due = await enrollments.claim_due(conn, now=now, batch=batch, mark=mark)
        if not due:
            return 0
        work = Plan()
        house = House(app.keys, app.settings.base_url, app.settings.organisation, app.channels)
        for standing in await _standings(conn, app, due):
            decide(house, standing, now, work)
        await _save(conn, work, now)
        point("plan.before_commit")
    if watermarks:
        last = Mark(due[-1]["due_at"], due[-1]["id"])
        watermarks.note({_LANE: last}, full=len(due) == batch)
    point("plan.after_commit")
    observe("plan", time.monotonic() - began, len(due))
    if work.messages:
        app.ring("send")
    return len(due)


async def _standings(conn: AsyncConnection, app: App, due: Sequence[Row]) -> list[Standing]:
    ids = [row["id"] for row in due]
    persons = await people.people_for_context(conn, [row["prospect_id"] for row in due])
    unlocked = await enrollments.unlocked(conn, ids)
    written = await messages.of_steps(conn, ids)
    programs = {
        version: await sequences.load_program(conn, version)
        for version in {row["version_id"] for row in due}
    }
    asking = [row["id"] for row in due if _branches(programs[row["version_id"]])]
    seen = await enrollments.seen(conn, asking) if asking else {}
    rows = await senders.of_ids(conn, {row["sender_id"] for row in due})
    seats = await _other_seats(conn, programs.values(), rows)
    addresses = [one.id for person in persons.values() for one in person.identities]
    met = seats or _inviting(app, rows)  # an email-only batch asks nothing
    known = await connections.of_identities(conn, addresses) if met else {}
    return [
        Standing(
            row=row,
            program=programs[row["version_id"]],
            person=(person := persons[row["prospect_id"]]),
            senders=seats | {row["sender_id"]: rows[row["sender_id"]]},
            unlock=unlocked.get(row["id"]),
            seen=_seen(seen.get(row["id"]), person, frozenset(written[row["id"]])),
            written=written[row["id"]],
            connections=known,
        )
        for row in due
    ]


async def _other_seats(
    conn: AsyncConnection, programs: Iterable[Program], own: dict[UUID, RowMapping]
) -> dict[UUID, RowMapping]:
    """The senders of the channels that these programs name beside those of the enrollments."""
    named = {one for program in programs for step in program.sends() for one in step.channels}
    others = named - {row["channel"] for row in own.values()} if len(named) < 2 else named
    return await senders.of_channels(conn, others) if others else {}


def _inviting(app: App, rows: dict[UUID, RowMapping]) -> bool:
    return any(isinstance(app.channels.get(row["channel"]), Inviting) for row in rows.values())


def _branches(program: Program) -> bool:
    """Whether the way through the program depends on what the person did."""
    return any(isinstance(step, BranchStep) for step in program.steps)


def _seen(row: Row | None, person: PersonFacts, had: frozenset[str]) -> progress.Seen:
    if row is None:
        return progress.Seen(had=had)
    return progress.Seen(
        had=had,
        opened=row["opened"],
        clicked=row["clicked"],
        delivered=row["delivered"],
        facts={name: fact.value for name, fact in person.facts.items()},
    )


async def _save(conn: AsyncConnection, work: Plan, now: datetime) -> None:
    await enrollments.move(conn, work.moves)
    await messages.insert_planned(conn, work.messages)
    for task in work.tasks:
        await tasks.open_task(conn, **task)
    await history.append_many(conn, work.lines, at=now)
