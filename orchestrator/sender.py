"""The sending loop of a worker: claim, freeze, hand over, over and over.

Work goes by lane, and a slow lane delays nobody else: until it has shown that it answers it has one
connection (`lane_gate`), which is not among the worker's but among as many places for trials. And a
hand-over that takes longer than a second gives its place to somebody else while it goes on waiting.
"""

import asyncio
import contextlib
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import structlog
from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from channels.base import Account, Inviting, OutboundMessage
from channels.crash_points import point
from orchestrator.clock import database_now
from orchestrator.combiner import Combiner
from orchestrator.db import transaction
from orchestrator.flows.claim import Claimed, claim
from orchestrator.flows.deliver import deliver
from orchestrator.flows.prepare import Parts, prepare
from orchestrator.lane_gate import LaneGate
from orchestrator.rules.outgoing import Missing, Outgoing, Prepared
from orchestrator.store import connections, leases, senders, standing, tasks
from orchestrator.wiring import App

log = structlog.get_logger()

# Claimed messages that wait for a connection, per connection: the next one is always ready.
_READY = 3
_SLOW_SECONDS = 1.0
# Hand-overs that wait on slow accounts beside the worker's connections, per connection.
_SLOW_MOST = 20


class Sender:
    """Sends for one process. `run` until `stop` is set, then finish what is under way."""

    def __init__(self, app: App, combiner: Combiner, *, owner: str) -> None:
        self._app = app
        self._combiner = combiner
        self._owner = owner
        self._slots = asyncio.Semaphore(app.settings.send_connections)
        self._trials = asyncio.Semaphore(app.settings.send_connections)
        self._tasks: set[asyncio.Task[None]] = set()
        self._by_lane: Counter[UUID] = Counter()
        self._gates: dict[UUID, LaneGate] = {}
        self._slow = 0
        self.bell = asyncio.Event()
        self.sent = 0

    @property
    def _room(self) -> int:
        waiting = sum(self._by_lane[lane] for lane, gate in self._gates.items() if gate.slow)
        idle = max(self._slow, waiting)
        return self._app.settings.send_connections * _READY - len(self._tasks) + idle

    def _busy(self) -> list[UUID]:
        limit = max(1, math.ceil(self._app.settings.send_connections * _READY / 2))
        full = {lane for lane, count in self._by_lane.items() if count >= limit}
        return [*full, *(lane for lane, gate in self._gates.items() if gate.slow)]

    async def run(self, stop: asyncio.Event) -> None:
        """Claim and send until `stop`. Trouble is logged, and tried again after a second."""
        while not stop.is_set():
            try:
                started = await self.claim_once()
            except Exception as error:  # noqa: BLE001 - the loop outlives any fault of one round
                log.warning("sender.round_failed", error=type(error).__name__, detail=str(error))
                await asyncio.sleep(1)
                continue
            if not started:
                await self._rest(stop)
        await self.finish()

    async def _rest(self, stop: asyncio.Event) -> None:
        """Until a bell, a free connection or lane, `stop` or the sweep interval."""
        own = [asyncio.create_task(self.bell.wait()), asyncio.create_task(stop.wait())]
        waits = self._room < self._app.settings.send_connections or self._busy()
        full = self._tasks if waits else set()
        await asyncio.wait(
            [*own, *full],
            timeout=self._app.settings.sweep_seconds,
            return_when=asyncio.FIRST_COMPLETED,
        )
        self.bell.clear()
        for one in own:
            one.cancel()

    async def finish(self) -> None:
        """Wait for what is under way; what waits for a connection is given back by its lease."""
        if self._tasks:
            await asyncio.wait(set(self._tasks))

    async def claim_once(self) -> int:
        """Claim what there is room for and start it. Returns how many were started."""
        room = self._room
        if room < self._app.settings.send_connections:
            return 0
        async with transaction(self._app.engine) as conn:
            now = await database_now(conn)
        claimed = await claim(self._app, now, owner=self._owner, batch=room, busy=self._busy())
        if not claimed:
            return 0
        parts = Parts(self._app.settings, self._app.keys, self._app.channels)
        async with transaction(self._app.engine) as conn:
            ready = await prepare(conn, parts, [one.row for one in claimed], now)
            found = await senders.of_ids(conn, {one.row.sender_id for one in claimed})
            known = await self._conversations(conn, claimed)
        point("prepare.after_commit")
        accounts = {lane: senders.account_of(row, self._app.keys) for lane, row in found.items()}
        for one in claimed:
            made = _addressed(one, ready[one.row.id], known)
            self._start(one, made, accounts[one.row.sender_id])
        return len(claimed)

    async def _conversations(
        self, conn: AsyncConnection, claimed: Sequence[Claimed]
    ) -> dict[tuple[UUID, UUID], RowMapping]:
        """Where providers keep these conversations; email keeps none, and asks for none."""
        wanted = [
            one.row.identity_id
            for one in claimed
            if one.row.identity_id and isinstance(self._app.channels[one.row.channel], Inviting)
        ]
        return await connections.of_identities(conn, wanted)

    def _start(self, claimed: Claimed, ready: Outgoing, account: Account) -> None:
        lane = claimed.row.sender_id
        self._by_lane[lane] += 1
        task = asyncio.create_task(self._one(claimed, ready, account))
        self._tasks.add(task)

        def done(finished: asyncio.Task[None]) -> None:
            self._tasks.discard(finished)
            self._by_lane[lane] -= 1
            if not self._by_lane[lane]:
                del self._by_lane[lane]
                if (gate := self._gates.get(lane)) is not None and gate.idle:
                    del self._gates[lane]
            if not finished.cancelled() and (error := finished.exception()):
                log.warning("sender.message_failed", message=str(claimed.row.id), error=repr(error))

        task.add_done_callback(done)

    async def _one(self, claimed: Claimed, ready: Outgoing, account: Account) -> None:
        if not isinstance(ready, Prepared):
            await self._hold(claimed, ready)
            return
        most = max(1, self._app.settings.send_connections // 2)
        gate = self._gates.setdefault(account.id, LaneGate(most))
        await gate.enter()
        brisk = False
        try:
            places = self._slots if gate.proven else self._trials
            brisk = await self._deliver(places, claimed, account, ready.message)
        finally:
            gate.leave(brisk=brisk)
        self.sent += 1

    async def _deliver(
        self,
        places: asyncio.Semaphore,
        claimed: Claimed,
        account: Account,
        message: OutboundMessage,
    ) -> bool:
        """Hand over within one of `places`. False: it took long, and waited for its end outside of
        them."""
        await places.acquire()
        held = True
        work = asyncio.create_task(deliver(self._app, self._combiner, claimed, account, message))
        try:
            await asyncio.wait({work}, timeout=_SLOW_SECONDS)
            if work.done() or self._slow >= self._app.settings.send_connections * _SLOW_MOST:
                await work
                return True
            places.release()
            held = False
            self._slow += 1
            try:
                await work
            finally:
                self._slow -= 1
            return False
        finally:
            if held:
                places.release()

    async def _hold(self, claimed: Claimed, why: Outgoing) -> None:
        """No homework, no message (L6): the lease goes back and a person gets the task."""
        row, now = claimed.row, claimed.now()
        if isinstance(why, Missing):
            kind, title = "missing_fact", f"Missing: {', '.join(why.names)}"
            detail: dict[str, object] = {"missing": list(why.names)}
        else:
            assert not isinstance(why, Prepared)
            kind, title, detail = "undeliverable", why.reason[:200], {}
        async with transaction(self._app.engine) as conn:
            await standing.lock_prospects(conn, [row.prospect_id])
            held = await leases.release(
                conn, row.id, claimed.fence, due=now + timedelta(days=1), reason=kind
            )
            if not held:  # stopped or overtaken meanwhile: nobody has to look
                return
            await tasks.open_task(
                conn,
                kind=kind,
                title=title,
                prospect_id=row.prospect_id,
                enrollment_id=row.enrollment_id,
                message_id=row.id,
                step=row.step,
                detail=detail,
                now=now,
            )


def _addressed(
    claimed: Claimed, ready: Outgoing, known: dict[tuple[UUID, UUID], RowMapping]
) -> Outgoing:
    row = claimed.row
    connection = known.get((row.identity_id, row.sender_id)) if row.identity_id else None
    if not isinstance(ready, Prepared) or (connection is None and row.kind != "request"):
        return ready
    return replace(
        ready,
        message=replace(
            ready.message,
            request=row.kind == "request",
            user_ref=connection["user_ref"] if connection else None,
            thread_ref=connection["thread_ref"] if connection else None,
        ),
    )


async def drain(app: App, *, owner: str = "drain", rounds: int = 1000) -> int:
    """Send everything that may leave now, then return how many hand-overs were made.

    For tests and for one-shot use; the worker runs `Sender.run`.
    """
    combiner = Combiner(app.engine)
    writer = asyncio.create_task(combiner.run())
    sender = Sender(app, combiner, owner=owner)
    try:
        for _ in range(rounds):
            started = await sender.claim_once()
            await sender.finish()
            if not started:
                break
    finally:
        writer.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await writer
    return sender.sent
