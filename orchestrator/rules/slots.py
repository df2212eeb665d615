"""Free times of a host: a grid inside weekly hours, on the host's wall clock.

A time is offered when the whole call fits inside one span of the day's hours, keeps the notice and
the horizon, and leaves the host's buffers free of other calls.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

from orchestrator.rules.window import DAYS, parse_hours
from orchestrator.rules.zones import jumps_of, zone

Span = tuple[time, time]  # on a wall clock; an end of 24:00 is `time.max`
Busy = tuple[datetime, datetime]  # [from, to), buffers included

_MOMENT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class HostHours:
    """When a host takes calls. `weekly`: the spans of Monday to Sunday, on the clock of `zone`."""

    zone: str
    weekly: tuple[tuple[Span, ...], ...]
    slot_minutes: int = 30
    buffer_before_minutes: int = 0
    buffer_after_minutes: int = 10
    notice_minutes: int = 240
    horizon_days: int = 21

    def busy(self, start: datetime, minutes: int) -> Busy:
        """What a call of `minutes` at `start` takes of the host's time, with the buffers."""
        return (
            start - timedelta(minutes=self.buffer_before_minutes),
            start + timedelta(minutes=minutes + self.buffer_after_minutes),
        )


def spans(hours: Sequence[str]) -> tuple[Span, ...]:
    """`["09:00-11:30", "12:30-16:00"]` in order. Raises ValueError for no hours or an overlap."""
    found = sorted(parse_hours(text) for text in hours)
    for (_, end), (start, _) in pairwise(found):
        if start < end:
            raise ValueError(f"the hours {', '.join(hours)} overlap")
    return tuple(found)


def weekly_spans(weekly: Mapping[str, Sequence[str]]) -> tuple[tuple[Span, ...], ...]:
    """`{"mon": ["09:00-16:00"], ...}` as spans of Monday to Sunday. Raises ValueError."""
    if unknown := set(weekly) - set(DAYS):
        raise ValueError(f"`{sorted(unknown)[0]}` is no day: write {', '.join(DAYS)}")
    return tuple(spans(weekly.get(day, ())) for day in DAYS)


def free_slots(
    host: HostHours,
    exceptions: Mapping[date, Sequence[Span]],
    busy: Sequence[Busy],
    minutes: int,
    now: datetime,
    *,
    first_day: date,
    days: int,
) -> list[datetime]:
    """The starts (UTC, in order) at which a call of `minutes` can be booked.

    Looks at `days` days from `first_day` on, in the host's zone. `exceptions` replace the hours of
    a date; none is a day off. A wall clock time that a change of the clocks skips is not offered,
    one that comes twice is offered twice.
    """
    taken = sorted(busy)
    earliest = now + timedelta(minutes=host.notice_minutes)
    latest = now + timedelta(days=host.horizon_days)
    found: set[datetime] = set()
    for step in range(days):
        day = first_day + timedelta(days=step)
        hours = exceptions.get(day, host.weekly[day.weekday()])
        for span in hours:
            found.update(
                start
                for start in _starts(host, day, span, minutes)
                if earliest <= start <= latest and _is_free(host.busy(start, minutes), taken)
            )
    return sorted(found)


def _starts(host: HostHours, day: date, span: Span, minutes: int) -> Iterator[datetime]:
    """Every instant of the grid at which a call lies inside `span`, free or not."""
    first, end = datetime.combine(day, span[0]), datetime.combine(day, span[1])
    wall = first
    while wall < end:
        for fold in (0, 1):
            local = wall.replace(tzinfo=zone(host.zone), fold=fold)
            start = local.astimezone(UTC)
            exists = start.astimezone(zone(host.zone)).replace(tzinfo=None) == wall
            if exists and _inside(host.zone, day, span, start, minutes):
                yield start
        wall += timedelta(minutes=host.slot_minutes)


def _inside(name: str, day: date, span: Span, start: datetime, minutes: int) -> bool:
    """Whether the wall clock stays inside the span from start to end, jumps included."""
    end = start + timedelta(minutes=minutes)
    seen = [start, end - _MOMENT]
    for jump in jumps_of(name, day.year):
        if start < jump < end:
            seen += [jump - _MOMENT, jump]
    return all(_within(day, span, at.astimezone(zone(name))) for at in seen)


def _within(day: date, span: Span, local: datetime) -> bool:
    wall = local.time()
    return local.date() == day and span[0] <= wall and (wall < span[1] or span[1] == time.max)


def _is_free(wanted: Busy, taken: Sequence[Busy]) -> bool:
    return not any(start < wanted[1] and wanted[0] < end for start, end in taken)
