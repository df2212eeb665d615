"""What enrolling and its dry run share: who is meant, who is held back, which sender writes."""

import heapq
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from channels.base import Account
from orchestrator.db import transaction
from orchestrator.errors import Conflict, NotFound
from orchestrator.flows.planning import zones_of
from orchestrator.keys import Keys
from orchestrator.render import missing_values
from orchestrator.rules.context import PersonFacts, template_context
from orchestrator.rules.enrolling import (
    HeldBack,
    Standing,
    channels_of,
    first_message,
    may_enroll,
)
from orchestrator.rules.program import Program
from orchestrator.rules.where import Node
from orchestrator.rules.window import Window, next_common_opening
from orchestrator.rules.wording import choose, uses
from orchestrator.store import enrolling as store
from orchestrator.store import people, senders, sequences
from orchestrator.store.sequences import VersionRow
from orchestrator.wiring import App

BATCH = 1000  # prospects whose rows are locked at once


@dataclass(frozen=True, slots=True)
class Selection:
    """Who is meant: those of `ids`, else those that `where` means (None: everybody)."""

    where: Node | None = None
    ids: tuple[UUID, ...] | None = None


@dataclass(slots=True)
class Pool:
    """The senders that share the work, least loaded first, by name when even."""

    rows: dict[UUID, RowMapping]
    hours: dict[UUID, Window]
    accounts: dict[UUID, Account]
    heaps: dict[str, list[tuple[int, str, UUID]]]  # by channel: load, name, id
    opens: dict[tuple[object, ...], datetime | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Enrolling:
    """All that is fixed while one command runs."""

    version: VersionRow
    program: Program
    channels: tuple[str, ...]  # of the program, those that have a sender
    pool: Pool
    organisation: str
    now: datetime
    not_before: datetime


@dataclass(frozen=True, slots=True)
class Chosen:
    """Somebody to enroll. `missing` names what the first message lacks: it will wait as a task."""

    person: PersonFacts
    sender_id: UUID
    due_at: datetime
    missing: tuple[str, ...]


async def prepare(
    conn: AsyncConnection,
    app: App,
    *,
    sequence: str,
    sender: str | None,
    now: datetime,
    not_before: datetime | None,
) -> Enrolling:
    """The newest version of an active sequence and the senders for it.

    Raises NotFound and Conflict.
    """
    found = await sequences.get(conn, sequence)
    if found is None:
        raise NotFound(f"There is no sequence `{sequence}`: `avtale sequence list` shows them.")
    if found.state != "active":
        raise Conflict(f"The sequence `{sequence}` is {found.state}; nobody can be enrolled.")
    version = await sequences.newest_version(conn, found.id)
    if version is None:
        raise Conflict(f"The sequence `{sequence}` has no version: publish it first.")
    program = await sequences.load_program(conn, version.id)
    if not app.settings.organisation and uses(program, "organisation"):
        raise Conflict(  # everybody's first message would become a task
            f"`{sequence}` says who we are and nobody set it: put AVTALE_ORGANISATION into .env "
            "(or the environment) and start Avtale again."
        )
    pool = await _pool(conn, app.keys, program, sender)
    channels = tuple(one for one in channels_of(program) if pool.heaps.get(one))
    return Enrolling(
        version, program, channels, pool, app.settings.organisation, now,
        max(now, not_before or now),
    )  # fmt: skip


async def _pool(conn: AsyncConnection, keys: Keys, program: Program, name: str | None) -> Pool:
    name = name or program.sender
    channels = channels_of(program)
    rows = await store.usable_senders(conn, channels)
    if name is not None:
        rows = [row for row in rows if row["name"] == name]
        if not rows:
            await _explain(conn, name, channels)
    if not rows:
        raise Conflict(f"No sender on {' or '.join(channels)} is in use: `avtale senders add` one.")
    ids = [row["id"] for row in rows]
    load = await store.running_of(conn, ids)
    heaps: dict[str, list[tuple[int, str, UUID]]] = {}
    for row in rows:
        heaps.setdefault(row["channel"], []).append(
            (load.get(row["id"], 0), row["name"], row["id"])
        )
    for heap in heaps.values():
        heapq.heapify(heap)
    return Pool(
        {row["id"]: row for row in rows},
        {row["id"]: Window.model_validate(row["hours"]) for row in rows},
        {row["id"]: senders.account_of(row, keys) for row in rows},
        heaps,
    )


async def _explain(conn: AsyncConnection, name: str, channels: Sequence[str]) -> None:
    row = await senders.by_name(conn, name)
    if row["paused_at"] is not None:
        raise Conflict(f"The sender `{name}` is paused: `avtale senders resume {name}` first.")
    raise Conflict(
        f"The sender `{name}` is on {row['channel']}; needed is {' or '.join(channels)}."
    )


async def batches(app: App, selection: Selection) -> AsyncIterator[list[UUID]]:
    """Ids of who is meant, in order, BATCH at a time; each batch is read when it is asked for."""
    if selection.ids is not None:
        ordered = sorted(set(selection.ids))
        for start in range(0, len(ordered), BATCH):
            yield ordered[start : start + BATCH]
        return
    after: UUID | None = None
    while True:
        async with transaction(app.engine) as conn:
            ids = await people.list_people(conn, selection.where, after=after, limit=BATCH)
        if not ids:
            return
        yield ids
        after = ids[-1]


async def consider(
    conn: AsyncConnection, at: Enrolling, ids: Sequence[UUID]
) -> list[tuple[PersonFacts, Chosen | HeldBack]]:
    """What enrolling would do with each of `ids`, in order. Reads only."""
    persons = await people.people_for_context(conn, ids)
    standings = await store.standings(conn, ids, at.version.sequence_id)
    return [
        (persons[one], choose_for(at, persons[one], standings.get(one, Standing())))
        for one in ids
        if one in persons
    ]


def choose_for(at: Enrolling, person: PersonFacts, standing: Standing) -> Chosen | HeldBack:
    """Whether this person is enrolled, by which sender, and what their first message lacks."""
    verdict = may_enroll(person, standing, at.channels, at.now)
    if isinstance(verdict, HeldBack):
        return verdict
    due = max(at.not_before, person.not_before or at.not_before)
    heap = at.pool.heaps[verdict.channel]
    aside: list[tuple[int, str, UUID]] = []
    chosen: Chosen | HeldBack = HeldBack("no_window")
    while heap:
        load, name, sender_id = heapq.heappop(heap)
        if _has_opening(at, person, sender_id, due):
            heapq.heappush(heap, (load + 1, name, sender_id))
            chosen = Chosen(person, sender_id, due, _missing(at, person, sender_id))
            break
        aside.append((load, name, sender_id))
    for one in aside:
        heapq.heappush(heap, one)
    return chosen


def _has_opening(at: Enrolling, person: PersonFacts, sender_id: UUID, due: datetime) -> bool:
    zones = zones_of(person)
    key = (zones, person.country, sender_id, due)
    if key not in at.pool.opens:
        hours, zone = at.pool.hours[sender_id], at.pool.rows[sender_id]["zone"]
        at.pool.opens[key] = next_common_opening(
            [(at.program.window, zones, person.country), (hours, frozenset({zone}), None)], due
        )
    return at.pool.opens[key] is not None


def context_of(at: Enrolling, person: PersonFacts, sender_id: UUID) -> dict[str, object]:
    """The template context of the first message; the page has no address before the enrollment."""
    return template_context(
        *(person, person.company, person.facts, at.pool.accounts[sender_id]),
        *(at.organisation, "(the prospect's page)"),
    )


def _missing(at: Enrolling, person: PersonFacts, sender_id: UUID) -> tuple[str, ...]:
    step = first_message(at.program)
    if step is None:
        return ()
    _, wording = choose(step.wordings, person.language, at.program.language)
    return missing_values(wording, context_of(at, person, sender_id), step.needs)
