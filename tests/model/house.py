"""Avtale as the model runs it: the real flows on the real database, by workers that can die."""

import asyncio
import contextlib
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from orchestrator import combiner as combining
from orchestrator import db, line
from orchestrator.combiner import Combiner
from orchestrator.db import transaction
from orchestrator.flows.claim import claim
from orchestrator.flows.deliver import deliver
from orchestrator.flows.hold_back import hold_back
from orchestrator.flows.prepare import Parts, prepare
from orchestrator.rules.outgoing import Prepared
from orchestrator.store import senders
from orchestrator.wiring import App
from tests.model.clock import SETUP, Clock
from tests.model.provider import Hand, Line, Provider

# What changed and in which transaction: a change of state whose transaction wrote no line of
# history has no story (L7). Top-level transaction ids, since a savepoint has an xmin of its own.
_AUDIT = (
    "create table model_changes (number bigserial, tx text, of text, id uuid, prospect_id uuid,"
    " enrollment_id uuid, was text, becomes text, fence_was bigint, fence bigint, step_was text,"
    " step text, version_was uuid, version uuid)",
    "create table model_lines (history_id bigint, tx text)",
    "create function model_message() returns trigger language plpgsql as $$ begin"
    " insert into model_changes (tx, of, id, prospect_id, enrollment_id, was, becomes, fence_was,"
    " fence) values (pg_current_xact_id()::text, 'message', new.id, new.prospect_id,"
    " new.enrollment_id, case when tg_op = 'UPDATE' then old.state end, new.state,"
    " case when tg_op = 'UPDATE' then old.fence end, new.fence); return null; end $$",
    "create function model_enrollment() returns trigger language plpgsql as $$ begin"
    " insert into model_changes (tx, of, id, prospect_id, enrollment_id, was, becomes, step_was,"
    " step, version_was, version) values (pg_current_xact_id()::text, 'enrollment', new.id,"
    " new.prospect_id, new.id, case when tg_op = 'UPDATE' then old.state end, new.state,"
    " case when tg_op = 'UPDATE' then old.step end, new.step,"
    " case when tg_op = 'UPDATE' then old.version_id end, new.version_id); return null; end $$",
    "create function model_line() returns trigger language plpgsql as $$ begin"
    " insert into model_lines values (new.id, pg_current_xact_id()::text); return null; end $$",
    "create trigger model_message after insert or update on messages for each row"
    " execute function model_message()",
    "create trigger model_enrollment after insert or update on enrollments for each row"
    " execute function model_enrollment()",
    "create trigger model_line after insert on history for each row execute function model_line()",
)
_KEPT = ("alembic_version", "clock", "model_clock")


class Cut(OSError):
    """The connection broke at a commit."""


Key = tuple[UUID, int]  # message and fence: a worker may lease anew what it sleeps over


@dataclass
class Worker:
    """One process that sends."""

    app: App
    name: str
    hands: dict[Key, Hand] = field(default_factory=dict)
    newest: dict[UUID, Hand] = field(default_factory=dict)  # by message, for the channel
    combiner: Combiner = field(init=False)
    writer: asyncio.Task[None] = field(init=False)

    def start(self) -> None:
        """Come up."""
        self.combiner = Combiner(self.app.engine)
        self.writer = asyncio.get_running_loop().create_task(self.combiner.run())

    async def die(self) -> None:
        """kill -9: what was not committed is gone, and nobody says goodbye."""
        tasks = [hand.task for hand in self.hands.values() if hand.task] + [self.writer]
        for task in tasks:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*tasks, return_exceptions=True)
        self.hands.clear()

    async def claim(self, clock: Clock, batch: int) -> int:
        """Lease and freeze; each message then stands before its hand-over."""
        found = await claim(self.app, clock.now, owner=self.name, batch=batch)
        if not found:
            return 0
        parts = Parts(self.app.settings, self.app.keys, self.app.channels)
        async with transaction(self.app.engine) as conn:
            ready = await prepare(conn, parts, [one.row for one in found], clock.now)
            rows = await senders.of_ids(conn, {one.row.sender_id for one in found})
        for one in found:
            made = ready[one.row.id]
            if not isinstance(made, Prepared):
                await hold_back(self.app.engine, one, made)
                continue
            account = senders.account_of(rows[one.row.sender_id], self.app.keys)
            hand = Hand(one)
            self.hands[one.row.id, one.fence] = self.newest[one.row.id] = hand
            work = deliver(self.app, self.combiner, one, account, made.message)
            hand.task = asyncio.create_task(work)
        await self.settle_down()
        return len(found)

    async def settle_down(self) -> None:
        """Until every hand-over stands somewhere, or is over."""
        while any(not (hand.waits or hand.over) for hand in self.hands.values()):  # noqa: ASYNC110 - no event
            # Where a hand-over stands, ends or dies is seen from outside: nothing could ring.
            await asyncio.sleep(0.001)
        for key, hand in list(self.hands.items()):
            if hand.over:
                del self.hands[key]
                assert hand.task is not None
                hand.task.result()

    async def tell(self, key: Key, order: str) -> None:
        """Let one hand-over go on to where it stands next."""
        hand = self.hands[key]
        assert hand.orders is not None
        hand.orders.set_result(order)
        await asyncio.sleep(0)
        await self.settle_down()


@dataclass
class House:
    """The database, the clock, the provider and the workers."""

    app: App
    clock: Clock
    provider: Provider
    workers: list[Worker] = field(default_factory=list)
    bells: list[str] = field(default_factory=list)
    cuts: list[str] = field(default_factory=list)  # of the next commits of a combiner
    senders: dict[str, UUID] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    tasks: int = 0  # open ones
    seen: int = 0  # the last change that the laws have looked at

    @property
    def engine(self) -> AsyncEngine:
        """Of the model's database."""
        return self.app.engine

    async def build(self) -> None:
        """Once for each database."""
        async with transaction(self.engine) as conn:
            name = (await conn.execute(text("select current_database()"))).scalar_one()
            for statement in (*SETUP, *_AUDIT):
                await conn.execute(text(statement.replace(":", "\\:")))
            await conn.execute(text(f"alter database {name} set search_path = public, pg_catalog"))
        await self.engine.dispose()

    async def clean(self) -> None:
        """An empty house at the start of time."""
        self.clock.restart()
        async with transaction(self.engine) as conn:
            await conn.execute(text("set local session_replication_role = replica"))
            tables = await conn.execute(
                text("select tablename from pg_tables where schemaname = 'public'")
            )
            for table in sorted(set(tables.scalars()) - set(_KEPT)):
                await conn.execute(text(f"delete from {table}"))
            await self.clock.show(conn)

    def open_up(self, workers: int) -> None:
        """Workers, each a process of its own."""
        for number in range(workers):
            worker = Worker(self.app, f"worker-{number}")
            line = Line(self.provider, worker.newest)
            app = Belled(**vars(replace(self.app, channels={"email": line})))
            app.bells = self.bells
            worker.app = app
            worker.start()
            self.workers.append(worker)

    async def close_down(self) -> None:
        """Everybody dies."""
        for worker in self.workers:
            await worker.die()
        self.workers.clear()

    async def pass_by(self, time: timedelta) -> None:
        """Let time pass, or set the clock back."""
        async with transaction(self.engine) as conn:
            await self.clock.pass_by(conn, time)

    async def rows(self, query: str, **values: Any) -> list[Any]:
        """Rows of one query."""
        async with transaction(self.engine) as conn:
            return list((await conn.execute(text(query), values)).all())


class Belled(App):
    """An App whose doorbells are kept: the model rings them, twice, late, or not at all."""

    bells: list[str]

    def ring(self, what: Any) -> None:
        """Keep it."""
        self.bells.append(what)


@contextlib.contextmanager
def cut_commits(cuts: list[str]) -> Any:
    """Let the commits of combiners break as `cuts` says: before they land, or after."""
    real = {"transaction": db.transaction, "on_line": line.on_line}
    for name, function in real.items():
        assert vars(combining)[name] is function, "combiners commit elsewhere now: cut there"
        vars(combining)[name] = _breaking(function, cuts)
    try:
        yield
    finally:
        vars(combining).update(real)


def _breaking(real: Any, cuts: list[str]) -> Any:
    @contextlib.asynccontextmanager
    async def breaking(where: Any) -> Any:
        how = cuts.pop(0) if cuts else ""
        async with real(where) as conn:
            yield conn
            if how == "cut before":
                raise Cut(how)
        if how == "cut after":
            raise Cut(how)

    return breaking
