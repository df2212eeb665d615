"""What one process has claimed: by lane, over connections that stay open, until it is settled.

A connection takes one message of its lane after the other (`Stream`), and does not wait for a
settlement before it goes on: the combiner writes it with the next point of no return, or before it.
So after a crash one message a connection is in doubt at most. A hand-over that takes longer than a
second gives its place to others while it is waited for.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any
from uuid import UUID

import structlog

from channels.base import Account, Channel, Handing, NotSent, SendResult, Streaming
from orchestrator.combiner import Combiner
from orchestrator.flows.claim import Claimed
from orchestrator.flows.deliver import Delivery
from orchestrator.flows.hold_back import hold_back
from orchestrator.in_hand import InHand
from orchestrator.lanes import Lane, Place, Places
from orchestrator.rules.outgoing import Outgoing, Prepared
from orchestrator.stages import observe
from orchestrator.wiring import App

log = structlog.get_logger()

_SLOW_SECONDS = 1.0
_LOOK_SECONDS = 0.2  # between two looks at who has become slow
_TURN = 20  # messages after which a connection is given to another lane that waits for one


class Hands:
    """The claims of a process on their way. `left` is told of each lane that something has left."""

    def __init__(
        self, app: App, combiner: Combiner, in_hand: InHand, left: Callable[[Lane], None]
    ) -> None:
        self._app = app
        self._combiner = combiner
        self._in_hand = in_hand
        self._left = left
        self._tasks: set[asyncio.Task[None]] = set()
        self._none = asyncio.Event()  # nothing is held, and no task runs
        self._looking = False
        self.places = Places(app.settings.send_connections)
        self.lanes: dict[UUID, Lane] = {}
        self.held = 0  # claimed and not settled
        self.sent = 0  # handed over and settled

    @property
    def idle(self) -> int:
        """Messages that need none of the worker's connections: they wait on slow accounts."""
        return self.places.idle

    def take(self, claimed: Claimed, ready: Outgoing, account: Account) -> None:
        """Hold a message until it is settled. It moves when `begin` is called."""
        lane = self._lane(claimed, account)
        lane.held += 1
        self.held += 1
        self._in_hand.take(claimed)
        if not isinstance(ready, Prepared):
            self._go_back(lane, claimed, hold_back(self._app.engine, claimed, ready))
            return
        one = Delivery(self._app, self._combiner, claimed, ready.message)
        lane.waiting.append(one)
        self.offer(lane)

    def offer(self, lane: Lane) -> None:
        """Let a lane have what it waits for, or give back what waits behind a refusal: one refused
        login is enough, since others lock the account."""
        while lane.ill and lane.waiting:
            one = lane.waiting.popleft()
            self._go_back(lane, one.claimed, one.give_back())
        self.places.offer(lane)

    def _lane(self, claimed: Claimed, account: Account) -> Lane:
        lane = self.lanes.get(account.id)
        if lane is None:
            channel = self._app.channels[claimed.row.channel]
            most = channel.connections(account) if isinstance(channel, Streaming) else None
            lane = Lane(account, claimed.row.channel, self.places.most(most))
            self.lanes[account.id] = lane
        lane.account = account
        return lane

    def begin(self) -> None:
        """Use every place that somebody may have."""
        loop = asyncio.get_running_loop()
        while (place := self.places.take(loop.time())) is not None:
            self.spawn(Stream(self, place, loop).run(self._app.channels))
        if self.places.used and not self._looking:
            self._looking = True
            loop.call_later(_LOOK_SECONDS, self._look)

    def _look(self) -> None:
        """Find who has become slow since the last look."""
        self._looking = False
        before = asyncio.get_running_loop().time() - _SLOW_SECONDS
        for place in [one for one in self.places.used if one.since < before]:
            self.places.late(place)
        self.begin()

    def settle(self, lane: Lane, one: Delivery, result: SendResult) -> asyncio.Task[None] | None:
        """Let what came of a hand-over be written: by a task, or (None) with the
        next commit."""
        if one.settle_soon(result, partial(self._settled, lane, one)):
            return None
        if isinstance(result, NotSent) and result.lane != "fine":
            lane.ill = True
        return self.spawn(self._settle(lane, one, result))

    async def _settle(self, lane: Lane, one: Delivery, result: SendResult) -> None:
        try:
            await one.settle(result)
        finally:
            self.sent += 1
            self._over(lane, one.claimed)

    def _settled(self, lane: Lane, one: Delivery, written: bool) -> None:
        if not written:
            self.spawn(one.taken_after_all())
        self.sent += 1
        self._over(lane, one.claimed)

    def _go_back(self, lane: Lane, claimed: Claimed, how: Coroutine[Any, Any, None]) -> None:
        async def go() -> None:
            try:
                await how
            finally:
                self._over(lane, claimed)

        self.spawn(go())

    def _over(self, lane: Lane, claimed: Claimed) -> None:
        """A message is not held any more."""
        self._in_hand.drop(claimed)
        self.held -= 1
        lane.held -= 1
        self.places.offer(lane)
        self._forget(lane)
        self._left(lane)
        self._may_be_none()

    def end(self, place: Place) -> None:
        """A connection is not used any more."""
        self.places.end(place)
        self._forget(place.lane)
        self.begin()

    def _forget(self, lane: Lane) -> None:
        if not lane.held and not lane.streams and self.lanes.get(lane.account.id) is lane:
            del self.lanes[lane.account.id]

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Do `work` beside everything else; `finish` waits for it."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._may_be_none()
        if not task.cancelled() and (error := task.exception()):
            log.warning("sender.task_failed", error=repr(error))

    def _may_be_none(self) -> None:
        if not self.held and not self._tasks:
            self._none.set()

    async def finish(self) -> None:
        """Wait for everything that is held."""
        while self.held or self._tasks:
            self._none.clear()
            await self._none.wait()

    async def give_back_unbegun(self) -> None:
        """What has not begun goes to others at once."""
        unbegun = []
        for lane in list(self.lanes.values()):
            unbegun += [(lane, one.claimed) for one in lane.waiting]
            lane.waiting.clear()
        if unbegun:
            await self._in_hand.give_back([claimed for _, claimed in unbegun])
        for lane, claimed in unbegun:
            self._over(lane, claimed)


class Stream:
    """One connection's worth of a lane's messages (`channels.base.Feed`)."""

    def __init__(self, hands: Hands, place: Place, loop: asyncio.AbstractEventLoop) -> None:
        self._hands = hands
        self._place = place
        self._lane = place.lane
        self._account = place.lane.account  # of this connection, as long as it is the sender's
        self._loop = loop
        self._begun: list[Delivery] = []  # and not done: one, or two where a channel looks ahead
        self._writing: asyncio.Task[None] | None = None  # an outcome that is not committed yet

    async def run(self, channels: Mapping[str, Channel]) -> None:
        """Hand over until there is nothing more for this connection."""
        channel = channels[self._lane.channel]
        try:
            if isinstance(channel, Streaming):
                await channel.stream(self._account, self)
            else:
                await self._one_by_one(channel)
        except Exception as error:  # noqa: BLE001 - a fault in an adapter decides nothing by luck
            for one in list(self._begun):
                self.done(one, one.fault(error))
        if self._writing is not None:  # or whoever follows passes, and two would be in doubt
            await asyncio.wait({self._writing})
        self._hands.end(self._place)

    async def _one_by_one(self, channel: Channel) -> None:
        while (one := self.next()) is not None:
            account, message = self._account, one.message
            self.done(one, await channel.send(account, message, one.pass_point))

    def next(self) -> Delivery | None:
        """The lane's next message, while this connection may go on."""
        lane, place = self._lane, self._place
        if not lane.waiting or place.slow or lane.ill or lane.streams > lane.limit:
            return None
        if lane.account is not self._account and lane.account != self._account:
            return None  # a backlog may last for hours: no old password or server until it ends
        if place.taken >= _TURN and self._hands.places.wanted:
            return None
        place.taken += 1
        one: Delivery = lane.waiting.popleft()
        one.after = self._writing
        self._begun.append(one)
        return one

    def done(self, one: Handing, result: SendResult) -> None:
        """Let the result be written, and let the lane grow when it answers briskly."""
        assert isinstance(one, Delivery)
        now = self._loop.time()
        if one.passed:
            observe("smtp", now - one.passed_at)
        self._begun.remove(one)
        place = self._place
        place.since = now
        if not place.slow:
            self._hands.places.brisk(place)
        writing = self._hands.settle(self._lane, one, result)
        if writing is not None:
            self._writing = writing
            for ahead in self._begun:
                ahead.after = writing
        self._hands.offer(self._lane)
        self._hands.begin()

    def back(self, one: Handing) -> None:
        """Nothing was done about it: somebody else begins it anew."""
        assert isinstance(one, Delivery)
        self._begun.remove(one)
        self._lane.waiting.appendleft(one)
        self._hands.offer(self._lane)
