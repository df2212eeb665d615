"""Plan: turn due enrollments into messages, tasks, waits and ends. One transaction a batch."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.db import transaction
from orchestrator.flows.planning import House, Plan, Standing, decide
from orchestrator.rules import progress
from orchestrator.rules.context import PersonFacts
from orchestrator.store import enrollments, history, messages, people, senders, sequences, tasks
from orchestrator.wiring import App


async def plan(app: App, now: datetime, *, batch: int = 200) -> int:
    """Plan up to `batch` due enrollments. Returns how many were looked at.

    Any number of planners may run: each locks what it plans, and a step's message is unique.
    """
    async with transaction(app.engine) as conn:
        due = await enrollments.claim_due(conn, now=now, batch=batch)
        if not due:
            return 0
        work = Plan()
        house = House(app.keys, app.settings.base_url, app.settings.organisation)
        for standing in await _standings(conn, app, due):
            decide(house, standing, now, work)
        await _save(conn, work, now)
    if work.messages:
        app.ring("send")
    return len(due)


async def _standings(conn: AsyncConnection, app: App, due: Sequence[RowMapping]) -> list[Standing]:
    ids = [row["id"] for row in due]
    persons = await people.people_for_context(conn, [row["prospect_id"] for row in due])
    unlocked = await enrollments.unlocked(conn, ids)
    written = await messages.of_steps(conn, ids)
    seen = await enrollments.seen(conn, ids)
    programs = {
        version: await sequences.load_program(conn, version)
        for version in {row["version_id"] for row in due}
    }
    rows = await senders.of_ids(conn, {row["sender_id"] for row in due})
    accounts = {sender: senders.account_of(row, app.keys) for sender, row in rows.items()}
    return [
        Standing(
            row=row,
            program=programs[row["version_id"]],
            person=(person := persons[row["prospect_id"]]),
            account=accounts[row["sender_id"]],
            sender=rows[row["sender_id"]],
            unlock=unlocked.get(row["id"]),
            seen=_seen(seen[row["id"]], person, frozenset(written[row["id"]])),
            written=written[row["id"]],
        )
        for row in due
    ]


def _seen(row: RowMapping, person: PersonFacts, had: frozenset[str]) -> progress.Seen:
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
