"""State changes of many open connections, written together: durable and fast at once.

Every connection hands in its next state change and waits. One writer takes all that is there,
writes it in one transaction, and starts the next when that commit has returned: no timer, no delay
when idle, one flush of the disk for many messages.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from asyncpg import DataError, PostgresError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from channels.crash_points import point
from orchestrator.clock import steady
from orchestrator.db import is_passing, is_passing_state, transaction
from orchestrator.line import Driver, Line, on_line
from orchestrator.stages import observe
from orchestrator.store import handover

log = structlog.get_logger()

# Seconds between the looks at what became of a commit that did not answer: a restart of PostgreSQL
# is outlived, an outage of a minute leaves the rest to the sweeper.
PATIENCE = (0.05, 0.2, 0.5, 1.0, 2.0, 4.0, *([5.0] * 10))

# Lease seconds that must be left at the point of no return.
BUDGET = 2.0
# Seconds after which a point of no return that was passed is not used any more: whoever was stopped
# meanwhile does not know what others made of the message since.
FRESH = 2.0

# Written in the transaction of an outcome, after it and only if it was written.
Follow = Callable[[AsyncConnection], Awaitable[None]]


@dataclass(slots=True)
class Pass:
    """One message that wants to pass the point of no return. The answer is when its commit began,
    by `clock.steady()`; None: do not send."""

    message_id: UUID
    fence: int
    prospect_id: UUID
    sender_id: UUID
    sequence_id: UUID
    now: datetime
    answer: asyncio.Future[float | None] = field(repr=False)


@dataclass(slots=True)
class Settlement:
    """One outcome to write: the columns that `handover.settle` takes. `told`: whether it was."""

    values: dict[str, Any]
    prospect_id: UUID
    now: datetime
    told: Callable[[bool], None] = field(repr=False)


@dataclass(slots=True)
class _Written:
    """What one transaction has committed, and when its commit began."""

    passed: set[UUID] = field(default_factory=set)
    settled: set[UUID] = field(default_factory=set)
    began: float = 0.0


class Combiner:
    """The one writer of a process. `run` it as a task; `pass_point` and `settle` may be awaited by
    any number of connections."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._line = Line(engine)
        self._waiting: list[Pass | Settlement] = []
        self._wake = asyncio.Event()
        self.closing = False  # nobody passes any more; what has passed is settled
        self.commits = 0
        self.written = 0
        self.refused = 0  # writes under a fence that had moved on

    async def pass_point(
        self,
        message_id: UUID,
        fence: int,
        *,
        prospect_id: UUID,
        sender_id: UUID,
        sequence_id: UUID,
        now: datetime,
    ) -> bool:
        """Commit `sending`. False: something forbids it, it is not known, or it is too long ago; do
        not send."""
        if self.closing:
            return False
        answer = asyncio.get_running_loop().create_future()
        self._put(Pass(message_id, fence, prospect_id, sender_id, sequence_id, now, answer))
        began = await answer
        if began is not None and steady() - began > FRESH:
            log.warning("combiner.pass_too_old", message=str(message_id), seconds=FRESH)
            return False
        return began is not None

    async def settle(
        self,
        values: dict[str, Any],
        *,
        prospect_id: UUID,
        now: datetime,
        follow: Follow | None = None,
        exclusive: UUID | None = None,
    ) -> bool:
        """Commit an outcome. False: the fence has moved on, or the database did not answer; the
        sweeper will find what is left.

        What `follow` writes is committed with the outcome or not at all; `exclusive` is a sender
        that it changes.
        """
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

        def told(written: bool) -> None:
            if not answer.done():
                answer.set_result(written)

        if follow is not None:
            return await self._alone(Settlement(values, prospect_id, now, told), follow, exclusive)
        self.hand_in(values, prospect_id=prospect_id, now=now, told=told)
        return await answer

    def hand_in(
        self,
        values: dict[str, Any],
        *,
        prospect_id: UUID,
        now: datetime,
        told: Callable[[bool], None],
    ) -> None:
        """The same for whoever does not wait: `told` is called with what `settle` returns."""
        self._put(Settlement(values, prospect_id, now, told))

    def note_refused(self, message_id: UUID, fence: int, what: str) -> None:
        """A write came too late: its fence had moved on, and nothing was changed."""
        self.refused += 1
        log.warning("fence.refused", what=what, message=str(message_id), fence=fence)

    def _put(self, one: Pass | Settlement) -> None:
        self._waiting.append(one)
        self._wake.set()

    async def run(self) -> None:
        """Write what is handed in until cancelled."""
        try:
            while True:
                await self._wake.wait()
                await asyncio.sleep(0)  # whoever heard in this very moment comes along
                self._wake.clear()
                batch, self._waiting = self._waiting, []
                if batch:
                    await self._write(batch)
        finally:
            await self._line.drop()

    async def _write(self, batch: Sequence[Pass | Settlement]) -> None:
        passes = [one for one in batch if isinstance(one, Pass)]
        settlements = [one for one in batch if isinstance(one, Settlement)]
        try:
            done = await self._commit(passes, settlements)
        except Exception as error:  # noqa: BLE001 - whatever it is, the writer must outlive it
            log.warning("combiner.commit_failed", error=type(error).__name__, size=len(batch))
            # Not known to be committed: nobody passes (L2). Settlements are re-read and, where
            # they did not land, written once more; the fence makes that safe.
            _answer_passes(passes, _Written())
            done = _Written(settled=await self._after_doubt(settlements))
        _answer_passes(passes, done)
        for outcome in settlements:
            try:
                outcome.told(outcome.values["id"] in done.settled)
            except Exception as error:  # noqa: BLE001 - as above
                log.error("combiner.not_told", error=repr(error), id=outcome.values["id"])

    async def _commit(
        self,
        passes: Sequence[Pass],
        settlements: Sequence[Settlement],
        *,
        follow: Follow | None = None,
        exclusive: UUID | None = None,
    ) -> _Written:
        clock = asyncio.get_running_loop().time
        began = clock()
        done, stale = _Written(), list[tuple[UUID, int, str]]()
        everyone = [one.prospect_id for one in passes]
        everyone += [one.prospect_id for one in settlements]
        # What follows an outcome is written by flows, which take a connection of SQLAlchemy.
        async with self._transaction(follow is None) as conn:
            await handover.lock(
                conn,
                senders=[one.sender_id for one in passes],
                sequences=[one.sequence_id for one in passes],
                prospects=everyone,
                exclusive=exclusive,
            )
            if settlements:
                done.settled, late = await _settle(conn, settlements)
                stale += late
                if follow is not None and done.settled:
                    assert isinstance(conn, AsyncConnection)
                    await follow(conn)
            if passes:
                done.passed, late = await _pass(conn, passes)
                stale += late
            _point("before_commit", done)
            done.began = steady()
        _point("after_commit", done)
        each = (clock() - began) / len(everyone)
        observe("pass", each * len(passes), len(passes))
        observe("settle", each * len(settlements), len(settlements))
        self.commits += 1
        self.written += len(everyone)
        for message_id, fence, what in stale:
            self.note_refused(message_id, fence, what)
        return done

    def _transaction(self, plain: bool) -> AbstractAsyncContextManager[AsyncConnection | Driver]:
        return on_line(self._line) if plain else transaction(self._engine)

    async def _alone(self, one: Settlement, follow: Follow, exclusive: UUID | None) -> bool:
        """A settlement with something to follow: rarer, and with locks of its own."""
        for pause in (0.0, *PATIENCE):
            await asyncio.sleep(pause)
            try:
                if pause and await self._landed([one]):
                    return True
                done = await self._commit((), [one], follow=follow, exclusive=exclusive)
                return bool(done.settled)
            except Exception as error:  # noqa: BLE001 - not known: re-read, then once more
                log.warning("combiner.commit_failed", error=type(error).__name__, size=1)
                if _is_refusal(error):
                    break
        # What follows can not be written, or nobody knows: the outcome is worth more than it.
        return await self._one_by_one([one]) == {one.values["id"]}

    async def _after_doubt(self, settlements: Sequence[Settlement]) -> set[UUID]:
        """Read on a fresh connection what has landed, and write the rest again."""
        landed: set[UUID] = set()
        rest = list(settlements)
        for pause in PATIENCE if rest else ():
            await asyncio.sleep(pause)
            try:
                landed |= await self._landed(rest)
                rest = [one for one in rest if one.values["id"] not in landed]
                return landed | (await self._commit((), rest)).settled if rest else landed
            except Exception as error:  # noqa: BLE001 - asked again after the next pause
                log.warning("combiner.reread_failed", error=type(error).__name__)
                if _is_refusal(error):
                    return landed | await self._one_by_one(rest)
        return landed

    async def _landed(self, settlements: Sequence[Settlement]) -> set[UUID]:
        async with transaction(self._engine) as conn:
            states = await handover.states(conn, [one.values["id"] for one in settlements])
        return {
            one.values["id"]
            for one in settlements
            if (row := states.get(one.values["id"]))
            and row["fence"] == one.values["fence"]
            and row["state"] == one.values["state"]
        }

    async def _one_by_one(self, settlements: Sequence[Settlement]) -> set[UUID]:
        """Where the database refuses a batch for what one of it says: the others must not wait."""
        settled: set[UUID] = set()
        for one in settlements:
            try:
                settled |= (await self._commit((), [one])).settled
            except Exception as error:  # noqa: BLE001 - the sweeper finds what is left
                log.error("combiner.not_settled", error=type(error).__name__, id=one.values["id"])
        return settled


async def _settle(
    conn: AsyncConnection | Driver, settlements: Sequence[Settlement]
) -> tuple[set[UUID], list[tuple[UUID, int, str]]]:
    """What was settled, and what came too late."""
    now = max(one.now for one in settlements)
    settled = await handover.settle(conn, [one.values for one in settlements], now=now)
    if doubted := [message_id for message_id, was in settled.items() if was == "in_doubt"]:
        await handover.answer_doubts(conn, doubted, now=now)
    values = [one.values for one in settlements]
    late = [(one["id"], one["fence"], "settle") for one in values if one["id"] not in settled]
    return set(settled), late


async def _pass(
    conn: AsyncConnection | Driver, passes: Sequence[Pass]
) -> tuple[set[UUID], list[tuple[UUID, int, str]]]:
    """What has passed, and what came too late: leased by somebody else since, or taken back."""
    passed = await handover.pass_point(
        conn,
        [(one.message_id, one.fence) for one in passes],
        budget=BUDGET,
        now=max(one.now for one in passes),
    )
    held = [one for one in passes if one.message_id not in passed]
    states = await handover.states(conn, [one.message_id for one in held]) if held else {}
    late = [
        (one.message_id, one.fence, "pass")
        for one in held
        if (row := states.get(one.message_id)) is None
        or (row["fence"], row["state"]) != (one.fence, "leased")
    ]
    return passed, late


def _answer_passes(passes: Sequence[Pass], done: _Written) -> None:
    for one in passes:
        if not one.answer.done():
            one.answer.set_result(done.began if one.message_id in done.passed else None)


def _is_refusal(error: Exception) -> bool:
    """Whether the database said no to what was written: it would say so again."""
    if isinstance(error, DBAPIError):
        state = getattr(error.orig, "sqlstate", None)
        return state is not None and not is_passing(error)
    if isinstance(error, PostgresError):
        return error.sqlstate is not None and not is_passing_state(error.sqlstate)
    return isinstance(error, ValueError | DataError)


def _point(where: str, done: _Written) -> None:
    """The crash points around the commit, each hit once a transaction that it is about."""
    if done.passed:
        point(f"pass.{where}")
    if done.settled:
        point(f"settle.{where}")
