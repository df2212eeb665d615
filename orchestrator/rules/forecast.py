"""When the first messages of an enrollment would leave: windows, cap and gap played through."""

import heapq
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from orchestrator.rules.window import Window, next_common_opening

HORIZON = 45  # days


@dataclass(frozen=True, slots=True)
class Pace:
    """The pace of a sender. `booked` is what is planned already, by local day."""

    zone: str
    hours: Window
    daily_cap: int
    gap_seconds: float  # the mean, jitter included
    booked: Mapping[date, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reader:
    """Where a prospect may be, and from when on they may be written to."""

    zones: frozenset[str]
    country: str | None
    after: datetime


def forecast(
    readers: Sequence[Reader], pace: Pace, window: Window, start: datetime
) -> list[datetime | None]:
    """When each of `readers`, in this order, would get the first message from this sender.

    None: not within HORIZON days. Whoever's window is closed is overtaken, as in the lane.
    """
    return _Lane(readers, pace, window, start).play()


class _Lane:
    """One sender's days, played through. People alike wait in one queue."""

    def __init__(
        self, readers: Sequence[Reader], pace: Pace, window: Window, start: datetime
    ) -> None:
        self.pace, self.window, self.zone = pace, window, ZoneInfo(pace.zone)
        self.result: list[datetime | None] = [None] * len(readers)
        self.free, self.end = start, start + timedelta(days=HORIZON)
        self.used = dict(pace.booked)
        self.queues: dict[Reader, deque[int]] = {}
        for index, reader in enumerate(readers):
            self.queues.setdefault(reader, deque()).append(index)

    def play(self) -> list[datetime | None]:
        # (opening, first in line, who): an opening before `free` is looked up again.
        ids = list(self.queues)
        heap = [(reader.after, self.queues[reader][0], n) for n, reader in enumerate(ids)]
        heapq.heapify(heap)
        sure: set[int] = set()  # whose opening is one
        while heap:
            opening, first, n = heapq.heappop(heap)
            if n not in sure or opening < self.free:
                found = self._opening(ids[n], max(opening, self.free))
                if found is not None and found < self.end:
                    sure.add(n)
                    heapq.heappush(heap, (found, first, n))
            elif self._is_full(opening):
                sure.discard(n)
                heapq.heappush(heap, (self._midnight(opening), first, n))
            else:
                queue = self.queues[ids[n]]
                self._send(queue.popleft(), opening)
                if queue:
                    heapq.heappush(heap, (opening, queue[0], n))
        return self.result

    def _opening(self, reader: Reader, after: datetime) -> datetime | None:
        sender = (self.pace.hours, frozenset({self.pace.zone}), None)
        prospect = (self.window, reader.zones, reader.country)
        return next_common_opening([prospect, sender], after, HORIZON)

    def _is_full(self, at: datetime) -> bool:
        return self.used.get(at.astimezone(self.zone).date(), 0) >= self.pace.daily_cap

    def _midnight(self, at: datetime) -> datetime:
        day = at.astimezone(self.zone).date() + timedelta(days=1)
        local = datetime(day.year, day.month, day.day, tzinfo=self.zone)
        return max(local.astimezone(at.tzinfo), at + timedelta(minutes=1))

    def _send(self, index: int, at: datetime) -> None:
        day = at.astimezone(self.zone).date()
        self.used[day] = self.used.get(day, 0) + 1
        self.result[index] = at
        self.free = at + timedelta(seconds=self.pace.gap_seconds)
