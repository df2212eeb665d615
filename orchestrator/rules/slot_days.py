"""Free times as a prospect reads them: days of one week, on their own wall clock."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Slot:
    """One free start. `twice`: this wall time comes twice that day, so the offset must be shown."""

    start: datetime  # in the prospect's zone
    twice: bool = False


@dataclass(frozen=True, slots=True)
class SlotWeek:
    """The week that is shown, and the Mondays of the nearest weeks that have free times."""

    monday: date
    days: tuple[tuple[date, tuple[Slot, ...]], ...]  # only days with free times, in order
    earlier: date | None
    later: date | None


def slot_week(starts: Sequence[datetime], zone: ZoneInfo, wanted: date | None) -> SlotWeek | None:
    """The week of `wanted` in `zone`, or the nearest one with free times (later ones first).

    None when there is no free time at all. `starts` are aware.
    """
    local = sorted(starts)
    by_day: dict[date, list[datetime]] = {}
    for start in local:
        there = start.astimezone(zone)
        by_day.setdefault(there.date(), []).append(there)
    mondays = sorted({_monday(day) for day in by_day})
    if not mondays:
        return None
    shown = _nearest(mondays, _monday(wanted) if wanted else mondays[0])
    return SlotWeek(
        monday=shown,
        days=tuple((day, _slots(times)) for day, times in by_day.items() if _monday(day) == shown),
        earlier=max((monday for monday in mondays if monday < shown), default=None),
        later=min((monday for monday in mondays if monday > shown), default=None),
    )


def _slots(times: Sequence[datetime]) -> tuple[Slot, ...]:
    walls = Counter((time.hour, time.minute) for time in times)
    return tuple(Slot(time, walls[time.hour, time.minute] > 1) for time in times)


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _nearest(mondays: Sequence[date], wanted: date) -> date:
    return next((monday for monday in mondays if monday >= wanted), mondays[-1])
