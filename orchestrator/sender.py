"""The sending loop of a worker: claim, freeze, hand over, over and over.

Work goes by lane, and a slow lane delays nobody else: until it has shown that it answers it has one
connection (`lane_gate`), and all such lanes together have at most half of the worker's. A hand-over
that takes longer than a second gives its place to somebody else while it goes on waiting.
"""

import asyncio
import contextlib
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

import structlog
from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from channels.base import Account, Inviting, NotSent, OutboundMessage, SendResult
from channels.crash_points import point
from orchestrator.clock import database_now
from orchestrator.combiner import Combiner
from orchestrator.db import transaction
from orchestrator.flows.claim import Claimed, claim
from orchestrator.flows.deliver import deliver, give_back
from orchestrator.flows.hold_back import hold_back
from orchestrator.flows.prepare import Parts, prepare
from orchestrator.in_hand import InHand
from orchestrator.lane_gate import LaneGate
from orchestrator.rules.outgoing import Outgoing, Prepared
from orchestrator.store import connections, senders
from orchestrator.wiring import App

log = structlog.get_logger()

# Messages in hand per connection: at first so few that another worker finds some too, then as many
# as leave in half a second, since each claim costs the same however many it takes.
_READY, _READY_MOST = 3, 30
_REFILL_SECONDS = 0.5
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
        self._trials = asyncio.Semaphore(max(1, app.settings.send_connections // 2))
        self._in_hand = InHand(app.engine, seconds=app.settings.lease_seconds)
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting: dict[asyncio.Task[None], Claimed] = {}  # claimed, and not begun
        self._by_lane: Counter[UUID] = Counter()
        self._gates: dict[UUID, LaneGate] = {}
        self._ill: set[UUID] = set()  # lanes that were parked or paused while others waited
        self._slow = 0
        self._depth = app.settings.send_connections * _READY
        self._claimed_at = 0.0  # when the last claim came back full, by the loop's clock
        self._freed = asyncio.Event()  # there is place for what the last claim passed over
        self._full = False
        self._passed_over: frozenset[UUID] = frozenset()
        self.bell = asyncio.Event()
        self.sent = 0

    @property
    def _room(self) -> int:
        waiting = sum(self._by_lane[lane] for lane, gate in self._gates.items() if gate.slow)
        idle = max(self._slow, waiting)
        return self._depth - len(self._tasks) + idle

    @property
    def _worth(self) -> int:
        """The room from which on a claim is worth its cost."""
        return max(self._app.settings.send_connections, self._depth // 3)

    def _busy(self) -> list[UUID]:
        limit = max(1, math.ceil(self._depth / 2))
        full = {lane for lane, count in self._by_lane.items() if count >= limit}
        return [*full, *(lane for lane, gate in self._gates.items() if gate.slow)]

    async def run(self, stop: asyncio.Event) -> None:
        """Claim and send until `stop`, and keep the leases of what waits. Trouble is logged, and
        tried again after a second."""
        keeping = asyncio.create_task(self._in_hand.keep())
        try:
            await self._rounds(stop)
            await self._leave()
        finally:
            keeping.cancel()

    async def _rounds(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                started = await self.claim_once()
            except Exception as error:  # noqa: BLE001 - the loop outlives any fault of one round
                log.warning("sender.round_failed", error=type(error).__name__, detail=str(error))
                await asyncio.sleep(1)
                continue
            if not started:
                await self._rest(stop)

    async def _leave(self) -> None:
        """Nobody passes any more; what was not begun goes to others at once, what was is ended."""
        self._combiner.closing = True
        unbegun = list(self._waiting.values())
        for task in list(self._waiting):
            task.cancel()
        if unbegun:
            await self._in_hand.give_back(unbegun)
        await self.finish()

    async def _rest(self, stop: asyncio.Event) -> None:
        """Until a bell, `stop`, the sweep interval, or what the last claim had no place for."""
        waits = [asyncio.create_task(one.wait()) for one in (self.bell, stop, self._freed)]
        await asyncio.wait(
            waits,
            timeout=self._app.settings.sweep_seconds,
            return_when=asyncio.FIRST_COMPLETED,
        )
        self.bell.clear()
        for one in waits:
            one.cancel()

    async def finish(self) -> None:
        """Wait for everything that was claimed."""
        if self._tasks:
            await asyncio.wait(set(self._tasks))

    async def claim_once(self) -> int:
        """Claim what there is room for and start it. Returns how many were started."""
        self._freed.clear()
        self._passed_over = frozenset(self._busy())
        room = self._room
        self._full = room < self._worth
        if self._full:
            return 0
        async with transaction(self._app.engine) as conn:
            now = await database_now(conn)
        claimed = await claim(
            self._app, now, owner=self._owner, batch=room, busy=[*self._passed_over]
        )
        self._keep_pace(len(claimed), room)
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

    def _keep_pace(self, claimed: int, room: int) -> None:
        """Take more at once while claims come back full and are used up quickly."""
        now = asyncio.get_running_loop().time()
        least = self._app.settings.send_connections * _READY
        most = self._app.settings.send_connections * _READY_MOST
        if claimed < room / 2:
            self._depth = max(least, self._depth // 2)
        elif now - self._claimed_at < _REFILL_SECONDS:
            self._depth = min(most, self._depth * 2)
        self._claimed_at = now

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
        self._waiting[task] = claimed
        self._in_hand.take(claimed)

        def done(finished: asyncio.Task[None]) -> None:
            self._tasks.discard(finished)
            self._waiting.pop(finished, None)
            self._in_hand.drop(claimed)
            self._by_lane[lane] -= 1
            if not self._by_lane[lane]:
                del self._by_lane[lane]
                self._ill.discard(lane)
                if (gate := self._gates.get(lane)) is not None and gate.idle:
                    del self._gates[lane]
            self._look_for_place(lane)
            if not finished.cancelled() and (error := finished.exception()):
                log.warning("sender.message_failed", message=str(claimed.row.id), error=repr(error))

        task.add_done_callback(done)

    def _look_for_place(self, lane: UUID) -> None:
        if self._full:
            free = self._room >= self._worth
        else:
            free = lane in self._passed_over and lane not in self._busy()
        if free:
            self._freed.set()

    async def _one(self, claimed: Claimed, ready: Outgoing, account: Account) -> None:
        if not isinstance(ready, Prepared):
            self._begun()
            await hold_back(self._app.engine, claimed, ready)
            return
        most = max(1, self._app.settings.send_connections // 2)
        gate = self._gates.setdefault(account.id, LaneGate(most))
        await gate.enter()
        brisk = False
        try:
            if account.id in self._ill:  # one refused login is enough: others lock the account
                self._begun()
                await give_back(self._app, self._combiner, claimed)
                return
            places = [self._slots] if gate.proven else [self._trials, self._slots]
            brisk = await self._deliver(places, claimed, account, ready.message)
        finally:
            gate.leave(brisk=brisk)
        self.sent += 1

    async def _deliver(
        self,
        places: Sequence[asyncio.Semaphore],
        claimed: Claimed,
        account: Account,
        message: OutboundMessage,
    ) -> bool:
        """Hand over within `places`. False: it took long, and waited for its end outside them."""
        async with contextlib.AsyncExitStack() as held:
            for place in places:
                await held.enter_async_context(place)
            self._begun()
            work = asyncio.create_task(
                deliver(self._app, self._combiner, claimed, account, message)
            )
            await asyncio.wait({work}, timeout=_SLOW_SECONDS)
            if work.done() or self._slow >= self._app.settings.send_connections * _SLOW_MOST:
                self._note(account, await work)
                return True
            await held.aclose()
            self._slow += 1
            try:
                self._note(account, await work)
            finally:
                self._slow -= 1
            return False

    def _note(self, account: Account, result: SendResult) -> None:
        if isinstance(result, NotSent) and result.lane != "fine":
            self._ill.add(account.id)

    def _begun(self) -> None:
        """The current task does not wait any more: it is waited for."""
        if (task := asyncio.current_task()) is not None:
            self._waiting.pop(task, None)


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
