"""Enrolling and planning very many people, beside bare SQL that does the same inserts."""

import gc
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import text

from bench.crowd import add_people, vacuum, without_triggers
from bench.measure import Comparison, Growth, Measure, Size, path
from bench.place import LETTER, Clock, add_senders, product
from orchestrator.clock import database_now
from orchestrator.db import transaction
from orchestrator.flows.enroll import enroll
from orchestrator.flows.enrolling import Selection
from orchestrator.flows.plan_backlog import plan_backlog
from orchestrator.ids import uuid7
from orchestrator.wiring import App, require_urls
from tests import make

BATCH = 1_000  # rows a statement and a commit of the bare SQL
HELLO = make.PROGRAM["steps"][0] | {"wordings": {"en": LETTER}, "needs": ["fact.pain"]}
FIVE_STEPS = make.PROGRAM | {"steps": [HELLO, *make.PROGRAM["steps"][1:]]}

_ENROLL = """
insert into enrollments (id, prospect_id, sequence_id, version_id, sender_id, step, due_at,
  entered_step_at, created_at)
select id, prospect, $3, $4, $5, 'hello', $6, $6, $6
from unnest($1::uuid[], $2::uuid[]) as r (id, prospect)"""
_TELL = """
insert into history (at, kind, prospect_id, enrollment_id, message_id, detail)
select $1, $2, prospect, enrollment, message, detail
from unnest($3::uuid[], $4::uuid[], $5::uuid[], $6::jsonb[])
  as r (prospect, enrollment, message, detail)"""
_MOVE = """
update enrollments set state = 'sending', due_at = null, entered_step_at = $2
where id = any($1::uuid[]) and state = 'active'"""
_WRITE = """
insert into messages (id, enrollment_id, prospect_id, step, channel, sender_id, identity_id,
  due_at, rfc_message_id)
select id, enrollment, prospect, 'hello', 'email', $5, identity, $6, rfc
from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $7::text[])
  as r (id, enrollment, prospect, identity, rfc)"""


@dataclass(frozen=True)
class _Row:
    prospect: UUID
    identity: UUID
    enrollment: UUID
    message: UUID
    rfc: str


@dataclass(frozen=True)
class _Crowd:
    """The people of one place, and what they are enrolled in."""

    app: App
    world: make.World
    people: int

    async def again(self) -> datetime:
        """Nobody enrolled; the database's time."""
        await without_triggers(
            self.app, "truncate history", "truncate enrollments, messages cascade"
        )
        await vacuum(self.app, "prospects", "enrollments", "messages", "history")
        async with transaction(self.app.engine) as conn:
            return await database_now(conn)

    async def product(self, first: int | None = None) -> float:
        """People a second, enrolled and planned by the product; the first `first` of them."""
        now = await self.again()
        clock = Clock()
        await enroll(self.app, sequence="test", selection=Selection(), now=now, limit=first)
        while await plan_backlog(self.app, now + timedelta(seconds=1)):
            pass
        took = clock.seconds
        await self._check(first or self.people)
        return (first or self.people) / took

    async def bare(self) -> float:
        """The same rows by bare SQL on one connection, the values made beforehand."""
        now = await self.again()
        database, _ = require_urls(self.app.settings)
        conn = await asyncpg.connect(database)
        try:
            await conn.execute("set synchronous_commit = on")
            rows = await self._rows(conn)
            clock = Clock()
            for some in _batches(rows):
                await self._enroll(conn, some, now)
            for some in _batches(rows):
                await self._plan(conn, some, now)
            took = clock.seconds
        finally:
            await conn.close()
        await self._check(self.people)
        return self.people / took

    async def _rows(self, conn: Any) -> list[_Row]:
        found = await conn.fetch("select prospect_id, id from identities order by prospect_id")
        made = [(prospect, identity, uuid7(), uuid7()) for prospect, identity in found]
        return [_Row(*one, f"<{one[3].hex * 2:.40}@sender.example>") for one in made]

    async def _enroll(self, conn: Any, rows: list[_Row], now: datetime) -> None:
        detail = {"version": str(self.world.version), "sender": str(self.world.sender)}
        fixed = (self.world.sequence, self.world.version, self.world.sender)
        people, ids = [row.prospect for row in rows], [row.enrollment for row in rows]
        nothing = [None] * len(rows)
        async with conn.transaction():
            await conn.execute(_ENROLL, ids, people, *fixed, now)
            said = [json.dumps(detail)] * len(rows)
            await conn.execute(_TELL, now, "enrollment.created", people, ids, nothing, said)

    async def _plan(self, conn: Any, rows: list[_Row], now: datetime) -> None:
        detail = {"step": "hello", "due": now.isoformat(), "channel": "email"}
        people, ids = [row.prospect for row in rows], [row.enrollment for row in rows]
        made, said = [row.message for row in rows], [json.dumps(detail)] * len(rows)
        identities, rfc = [row.identity for row in rows], [row.rfc for row in rows]
        async with conn.transaction():
            await conn.execute(_MOVE, ids, now)
            await conn.execute(_WRITE, made, ids, people, identities, self.world.sender, now, rfc)
            await conn.execute(_TELL, now, "message.planned", people, ids, made, said)

    async def _check(self, people: int) -> None:
        async with transaction(self.app.engine) as conn:
            written = await conn.scalar(text("select count(*) from messages"))
            lines = await conn.scalar(text("select count(*) from history"))
        if (written, lines) != (people, 2 * people):
            raise RuntimeError(f"{written} messages and {lines} lines for {people} people")


def _batches(rows: list[_Row]) -> Iterator[list[_Row]]:
    for start in range(0, len(rows), BATCH):
        yield rows[start : start + BATCH]


@asynccontextmanager
async def crowd(people: int) -> AsyncIterator[_Crowd]:
    """A place with so many people, none of them enrolled, and four senders."""
    async with product() as app:
        async with transaction(app.engine) as conn:
            world = await make.world(conn, program=FIVE_STEPS)
            await add_senders(conn, 3, 25)
            await add_people(conn, 1, people, facts=True)
        await vacuum(app, "companies", "prospects", "identities", "facts", "senders")
        gc.collect()
        gc.freeze()  # as the processes of the product do with what they have loaded
        yield _Crowd(app, world, people)


@path("plan", minutes=10)
@asynccontextmanager
async def planner(size: Size) -> AsyncIterator[list[Measure]]:
    """Everybody of a place, five steps, one fact each that the first letter needs."""
    people = 2_000 if size == "quick" else 100_000
    sizes = [500, 2_000] if size == "quick" else [10_000, 100_000, 1_000_000]
    async with crowd(people) as one:

        async def seconds(count: int) -> float:
            if count <= people:
                return count / await one.product(count)
            async with crowd(count) as more:
                return count / await more.product()

        notes = {
            "bare SQL": f"one connection, values made beforehand, {BATCH} rows a statement",
        }
        yield [
            Comparison(
                f"enroll and plan {people:,} people", "product", "bare SQL", "people/s",
                {"product": one.product, "bare SQL": one.bare}, 0.5, 0.8, notes=notes,
            ),
            Growth("enroll and plan, of as many people", "seconds", sizes, seconds),
        ]  # fmt: skip
