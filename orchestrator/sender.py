"""The sending loop of a worker: claim, freeze, hand over, over and over.

What is claimed is in the `hands` of this process until it is settled. Work goes by lane, and a slow
lane delays nobody else (`lanes`).
"""

import asyncio
import contextlib
import math
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

import structlog
from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from channels.base import Inviting
from channels.crash_points import point
from orchestrator.clock import database_now
from orchestrator.combiner import Combiner
from orchestrator.db import transaction
from orchestrator.flows.claim import Claimed, claim
from orchestrator.flows.prepare import Parts, prepare
from orchestrator.hands import Hands
from orchestrator.in_hand import InHand
from orchestrator.lanes import Lane
from orchestrator.rules.outgoing import Outgoing, Prepared
from orchestrator.rules.watermark import Watermarks
from orchestrator.store import connections, senders
from orchestrator.wiring import App

log = structlog.get_logger()

# Messages in hand per connection: at first so few that another worker finds some too, then as many
# as leave in half a second, since each claim costs the same however many it takes.
_READY, _READY_MOST = 3, 30
_REFILL_SECONDS = 0.5


class Sender:
    """Sends for one process. `run` until `stop` is set, then finish what is under way."""

    def __init__(self, app: App, combiner: Combiner, *, owner: str) -> None:
        self._app = app
        self._combiner = combiner
        self._owner = owner
        self._parts = Parts(app.settings, app.keys, app.channels)
        self._in_hand = InHand(app.engine, seconds=app.settings.lease_seconds)
        self._watermarks = Watermarks()
        self._hands = Hands(app, combiner, self._in_hand, self._look_for_place)
        self._depth = app.settings.send_connections * _READY
        self._claimed_at = 0.0  # when the last claim came back full, by the loop's clock
        self._freed = asyncio.Event()  # there is place for what the last claim passed over
        self._full = False
        self._passed_over: frozenset[UUID] = frozenset()
        self.bell = asyncio.Event()

    @property
    def sent(self) -> int:
        """Hand-overs that were made and settled."""
        return self._hands.sent

    @property
    def _room(self) -> int:
        return self._depth - self._hands.held + self._hands.idle

    @property
    def _worth(self) -> int:
        """The room from which on a claim is worth its cost."""
        return max(self._app.settings.send_connections, self._depth // 3)

    def _is_busy(self, lane: Lane) -> bool:
        # What an ill one got would only come back, and each claim counts against its cap.
        return lane.slow or lane.ill or lane.held >= max(1, math.ceil(self._depth / 2))

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
        await self._hands.give_back_unbegun()
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
        await self._hands.finish()

    async def claim_once(self) -> int:
        """Claim what there is room for and start it. Returns how many were started."""
        self._freed.clear()
        busy = [lane for lane, one in self._hands.lanes.items() if self._is_busy(one)]
        self._passed_over = frozenset(busy)
        room = self._room
        self._full = room < self._worth
        if self._full:
            return 0
        async with transaction(self._app.engine) as conn:
            now = await database_now(conn)
        claimed = await claim(
            self._app,
            now,
            owner=self._owner,
            batch=room,
            busy=busy,
            watermarks=self._watermarks,
        )
        self._keep_pace(len(claimed), room)
        if not claimed:
            return 0
        async with transaction(self._app.engine) as conn:
            ready = await prepare(conn, self._parts, [one.row for one in claimed], now)
            lanes = {one.row.sender_id for one in claimed}
            accounts = await senders.accounts(conn, self._app.keys, lanes)
            known = await self._conversations(conn, claimed)
        point("prepare.after_commit")
        for one in claimed:
            made = _addressed(one, ready[one.row.id], known)
            self._hands.take(one, made, accounts[one.row.sender_id][0])
        self._hands.begin()
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
        used = {one.row.channel for one in claimed}  # such a test takes 10 us: once for each
        inviting = {name for name in used if isinstance(self._app.channels[name], Inviting)}
        wanted = [
            one.row.identity_id
            for one in claimed
            if one.row.identity_id and one.row.channel in inviting
        ]
        return await connections.of_identities(conn, wanted)

    def _look_for_place(self, lane: Lane) -> None:
        """Something of `lane` has left: is it worth a claim now?"""
        if self._full:
            free = self._room >= self._worth
        else:
            free = lane.account.id in self._passed_over and not self._is_busy(lane)
        if free:
            self._freed.set()


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
