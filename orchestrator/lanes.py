"""How many connections one lane may use at once: few until it has shown that it answers.

A lane starts with one, gains one with each brisk hand-over, and falls back to one when it is slow.
Lanes that have not shown it yet have at most half of the worker's connections together. So accounts
that hang hold few of them, and what takes long gives its place to others while it is waited for.
"""

from collections import deque
from dataclasses import dataclass, field

from channels.base import Account
from orchestrator.flows.deliver import Delivery

# Hand-overs that wait on slow accounts beside the worker's connections, per connection.
_SLOW_MOST = 20


@dataclass(slots=True, eq=False)
class Lane:
    """What of one account is in hand."""

    account: Account
    channel: str
    most: int  # connections, however well it goes
    waiting: deque[Delivery] = field(default_factory=deque)  # not begun
    held: int = 0  # not settled, those that wait among them
    streams: int = 0  # connections in use
    limit: int = 1  # connections that it may use
    proven: bool = False  # its latest hand-over was brisk
    ill: bool = False  # it was parked or paused while others waited
    queued: bool = False
    counted: int = 0

    @property
    def slow(self) -> bool:
        """All that it may use is in use, and it has not shown that it answers."""
        return self.limit == 1 and self.streams >= 1 and bool(self.waiting)

    @property
    def wants(self) -> bool:
        """Whether another connection would do it good."""
        return self.streams < self.limit and bool(self.waiting) and not self.ill


@dataclass(slots=True, eq=False)
class Place:
    """One connection's worth, while a lane uses it."""

    lane: Lane
    trial: bool  # among those of lanes that have not shown that they answer
    since: float  # of the latest answer, by the loop's clock
    slow: bool = False  # given up to others
    taken: int = 0  # messages


class Places:
    """The places of a worker, and the lanes that want one, in the order of asking."""

    def __init__(self, connections: int) -> None:
        self._free = connections
        self._trials = max(1, connections // 2)
        self._most = max(1, connections // 2)
        self._slow_most = connections * _SLOW_MOST
        self._proven: deque[Lane] = deque()
        self._unproven: deque[Lane] = deque()
        self._slow = 0
        self._stuck = 0
        self.used: set[Place] = set()

    @property
    def idle(self) -> int:
        """Messages in hand that need no place: they wait on slow accounts."""
        return max(self._slow, self._stuck)

    @property
    def wanted(self) -> bool:
        """Whether somebody waits for a place."""
        return bool(self._proven or self._unproven)

    def most(self, connections: int | None) -> int:
        """Where a lane stops growing, of whose account a provider takes so many connections."""
        return self._most if connections is None else min(self._most, max(1, connections))

    def offer(self, lane: Lane) -> None:
        """Something about `lane` has changed: let it wait for a place if it wants one."""
        counted = lane.held if lane.slow else 0
        self._stuck += counted - lane.counted
        lane.counted = counted
        if lane.wants and not lane.queued:
            lane.queued = True
            (self._proven if lane.proven else self._unproven).append(lane)

    def take(self, now: float) -> Place | None:
        """A place for the first lane that may have one."""
        while self._free > 0:
            queue = self._unproven if self._unproven and self._trials else self._proven
            if not queue:
                return None
            lane = queue.popleft()
            lane.queued = False
            if lane.proven is (queue is self._unproven):  # it has changed while it waited
                self.offer(lane)
            elif lane.wants:
                return self._begin(Place(lane, trial=not lane.proven, since=now))
        return None

    def _begin(self, place: Place) -> Place:
        self._free -= 1
        self._trials -= place.trial
        place.lane.streams += 1
        self.used.add(place)
        return place

    def brisk(self, place: Place) -> None:
        """A hand-over went well in time."""
        lane = place.lane
        lane.proven, lane.limit = True, min(lane.most, lane.limit + 1)
        self._trials += place.trial
        place.trial = False

    def late(self, place: Place) -> None:
        """It takes long: others have the place meanwhile, as long as not too many are late."""
        if place.slow or self._slow >= self._slow_most:
            return
        self._give_up(place)
        self._slow += 1
        place.slow = True
        place.lane.proven, place.lane.limit = False, 1
        self.offer(place.lane)

    def end(self, place: Place) -> None:
        """The connection is not used any more."""
        self.used.discard(place)
        place.lane.streams -= 1
        if place.slow:
            self._slow -= 1
        else:
            self._give_up(place)
        self.offer(place.lane)

    def _give_up(self, place: Place) -> None:
        self._free += 1
        self._trials += place.trial
        place.trial = False
