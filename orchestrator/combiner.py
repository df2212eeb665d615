"""State changes of many open connections, written together: durable and fast at once.

Every connection hands in its next state change and waits. One writer takes all that is there,
writes it in one transaction, and starts the next when that commit has returned: no timer, no delay
when idle, one flush of the disk for many messages.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from channels.crash_points import point
from orchestrator.db import transaction
from orchestrator.store import handover

log = structlog.get_logger()

# Seconds between the looks at what became of a commit that did not answer: a restart of PostgreSQL
# is outlived, an outage of a minute leaves the rest to the sweeper.
_REREADS = (0.05, 0.2, 0.5, 1.0, 2.0, 4.0, *([5.0] * 10))

# Lease seconds that must be left at the point of no return.
BUDGET = 2.0


@dataclass(slots=True)
class Pass:
    """One message that wants to pass the point of no return."""

    message_id: UUID
    fence: int
    prospect_id: UUID
    sender_id: UUID
    sequence_id: UUID
    now: datetime
    answer: asyncio.Future[bool] = field(repr=False)


@dataclass(slots=True)
class Settlement:
    """One outcome to write: the columns that `handover.settle` takes."""

    values: dict[str, Any]
    prospect_id: UUID
    now: datetime
    answer: asyncio.Future[bool] = field(repr=False)


class Combiner:
    """The one writer of a process. `run` it as a task; `pass_point` and `settle` may be awaited by
    any number of connections."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._waiting: list[Pass | Settlement] = []
        self._wake = asyncio.Event()
        self.commits = 0
        self.written = 0

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
        """Commit `sending`. False: something forbids it, or it is not known; do not send."""
        answer = asyncio.get_running_loop().create_future()
        self._put(Pass(message_id, fence, prospect_id, sender_id, sequence_id, now, answer))
        return bool(await answer)

    async def settle(self, values: dict[str, Any], *, prospect_id: UUID, now: datetime) -> bool:
        """Commit an outcome. False: the fence has moved on, or the database did not answer; the
        sweeper will find what is left."""
        answer = asyncio.get_running_loop().create_future()
        self._put(Settlement(values, prospect_id, now, answer))
        return bool(await answer)

    def _put(self, one: Pass | Settlement) -> None:
        self._waiting.append(one)
        self._wake.set()

    async def run(self) -> None:
        """Write what is handed in until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            batch, self._waiting = self._waiting, []
            if batch:
                await self._write(batch)

    async def _write(self, batch: Sequence[Pass | Settlement]) -> None:
        passes = [one for one in batch if isinstance(one, Pass)]
        settlements = [one for one in batch if isinstance(one, Settlement)]
        try:
            passed, settled = await self._commit(passes, settlements)
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            log.warning("combiner.commit_failed", error=type(error).__name__, size=len(batch))
            # Not known to be committed: nobody passes (L2). Settlements are re-read and, where
            # they did not land, written once more; the fence makes that safe.
            passed, settled = set(), await self._after_doubt(settlements)
        for one in passes:
            if not one.answer.done():
                one.answer.set_result(one.message_id in passed)
        for outcome in settlements:
            if not outcome.answer.done():
                outcome.answer.set_result(outcome.values["id"] in settled)

    async def _commit(
        self, passes: Sequence[Pass], settlements: Sequence[Settlement]
    ) -> tuple[set[UUID], set[UUID]]:
        passed: set[UUID] = set()
        settled: set[UUID] = set()
        everyone = [one.prospect_id for one in passes]
        everyone += [one.prospect_id for one in settlements]
        async with transaction(self._engine) as conn:
            await handover.lock(
                conn,
                senders=[one.sender_id for one in passes],
                sequences=[one.sequence_id for one in passes],
                prospects=everyone,
            )
            if settlements:
                settled = await handover.settle(
                    conn,
                    [one.values for one in settlements],
                    now=max(one.now for one in settlements),
                )
            if passes:
                passed = await handover.pass_point(
                    conn,
                    [(one.message_id, one.fence) for one in passes],
                    budget=BUDGET,
                    now=max(one.now for one in passes),
                )
            _point("before_commit", passed, settled)
        _point("after_commit", passed, settled)
        self.commits += 1
        self.written += len(everyone)
        return passed, settled

    async def _after_doubt(self, settlements: Sequence[Settlement]) -> set[UUID]:
        for pause in _REREADS:
            await asyncio.sleep(pause)
            try:
                async with transaction(self._engine) as conn:
                    states = await handover.states(conn, [s.values["id"] for s in settlements])
                landed = {
                    one.values["id"]
                    for one in settlements
                    if (row := states.get(one.values["id"]))
                    and row["fence"] == one.values["fence"]
                    and row["state"] == one.values["state"]
                }
                rest = [one for one in settlements if one.values["id"] not in landed]
                return landed | (await self._commit((), rest))[1] if rest else landed
            except (SQLAlchemyError, OSError, TimeoutError) as error:
                log.warning("combiner.reread_failed", error=type(error).__name__)
        return set()


def _point(where: str, passed: set[UUID], settled: set[UUID]) -> None:
    """The crash points around the commit, each hit once a transaction that it is about."""
    if passed:
        point(f"pass.{where}")
    if settled:
        point(f"settle.{where}")
