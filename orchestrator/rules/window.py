"""Windows: when a message may leave, in the prospect's own time (L5).

Everything here is decided on instants (UTC): the wall clock of a zone is read off an instant and
never the other way round, so that hours which a change of the clocks skips or repeats need no rule
of their own.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Self

from pydantic import BaseModel, ConfigDict, model_serializer, model_validator

from orchestrator.rules import calendar
from orchestrator.rules.zones import jumps_of
from orchestrator.rules.zones import zone as zone_info

if TYPE_CHECKING:
    from orchestrator.rules.program import Duration  # which imports this module

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def parse_days(text: str) -> tuple[int, ...]:
    """`mon-fri`, `mon, wed, fri`, `sat-mon` as weekday numbers, Monday 0."""
    found: set[int] = set()
    for part in text.lower().replace(" ", "").split(","):
        first, _, last = part.partition("-")
        try:
            start, end = DAYS.index(first[:3]), DAYS.index((last or first)[:3])
        except ValueError:
            raise ValueError(f"`{text}` are no days: write mon-fri, or mon, wed, fri") from None
        found.update((start + step) % 7 for step in range((end - start) % 7 + 1))
    return tuple(sorted(found))


def parse_hours(text: str) -> tuple[time, time]:
    """`08:00-16:00` as two wall clock times; 24:00 is `time.max`. Raises ValueError."""
    first, _, last = text.replace(" ", "").replace("–", "-").partition("-")
    try:
        # 24:00 is the end of the day, which `time` cannot say: the last microsecond stands for it.
        start = time.fromisoformat(first)
        end = time.max if last == "24:00" else time.fromisoformat(last)
    except ValueError:
        raise ValueError(f"`{text}` are no hours: write 08:00-16:00") from None
    if start >= end:
        raise ValueError(f"`{text}` ends before it starts; a window stays within one day")
    return start, end


class Window(BaseModel):
    """Days and hours on a wall clock, `{days: mon-fri, hours: "08:00-16:00"}`; no zone."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    days: tuple[int, ...]
    start: time
    end: time

    @model_validator(mode="before")
    @classmethod
    def _from_words(cls, value: Any) -> Any:
        if isinstance(value, dict) and "hours" in value:
            unknown = set(value) - {"days", "hours"}
            if unknown:
                raise ValueError(f"a window has days and hours, not {', '.join(sorted(unknown))}")
            start, end = parse_hours(str(value["hours"]))
            return {
                "days": parse_days(str(value.get("days", "mon-fri"))),
                "start": start,
                "end": end,
            }
        return value

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.days or self.start >= self.end:
            raise ValueError("a window needs a day and an hour that ends after it starts")
        return self

    @model_serializer
    def _to_words(self) -> dict[str, str]:
        end = "24:00" if self.end == time.max else self.end.isoformat("minutes")
        return {
            "days": ", ".join(DAYS[day] for day in self.days),
            "hours": f"{self.start.isoformat('minutes')}-{end}",
        }


OFFICE = Window.model_validate({"days": "mon-fri", "hours": "08:00-16:00"})

_DAY = timedelta(days=1)
_Clock = tuple[Window, str, str | None]  # window, zone, country of the holidays


def is_open(window: Window, zones: frozenset[str], country: str | None, at: datetime) -> bool:
    """Whether a message may leave at `at`: the window is open in every one of `zones` (L5).

    Public holidays of `country` are out, and its weekend where that is not Saturday and Sunday.
    Without a country the days of the window are all that counts.
    """
    return all(_open_in((window, zone, country), at) for zone in zones)


def next_opening(
    window: Window,
    zones: frozenset[str],
    country: str | None,
    after: datetime,
    *,
    horizon_days: int = 45,
) -> datetime | None:
    """The earliest instant (UTC) from `after` on at which `is_open`, `after` itself included.

    None when the zones have no common opening within `horizon_days`: then a person must find out
    where the prospect is.
    """
    return next_common_opening([(window, zones, country)], after, horizon_days)


def next_common_opening(
    parts: Sequence[tuple[Window, frozenset[str], str | None]],
    after: datetime,
    horizon_days: int = 45,
) -> datetime | None:
    """The earliest instant from `after` on at which every part (prospect, sender) is open."""
    # Every clock in turn pushes the instant on to its own next opening, until all agree with one.
    # The clock that pushed last comes first: two that exclude each other find out at once.
    clocks = [(window, zone, country) for window, zones, country in parts for zone in sorted(zones)]
    at = after.astimezone(UTC)
    limit = at + timedelta(days=horizon_days)
    agreed = 0
    while agreed < len(clocks):
        clock = clocks[agreed]
        opening = _next_in(clock, at, limit)
        if opening is None:
            return None
        if opening == at:
            agreed += 1
            continue
        at = opening
        clocks.insert(0, clocks.pop(agreed))
        agreed = 1
    return at


def add_duration(
    duration: "Duration", start: datetime, zones: frozenset[str], country: str | None
) -> datetime:
    """When a wait that starts at `start` is over (UTC).

    Minutes and hours are elapsed time. Days keep the time on the prospect's wall clock, and
    business days also skip the country's weekend and holidays; of several zones the latest end
    counts, and business days end on one in every zone.
    """
    start = start.astimezone(UTC)
    if duration.unit == "minutes":
        return start + timedelta(minutes=duration.amount)
    if duration.unit == "hours":
        return start + timedelta(hours=duration.amount)
    if duration.amount == 0:
        return start
    if duration.unit == "days":
        days = timedelta(days=duration.amount)
        return max(_on_day(start, zone, lambda day: day + days) for zone in zones)
    end = max(
        _on_day(start, zone, lambda day: calendar.add_business_days(country, day, duration.amount))
        for zone in zones
    )
    return _business_instant(end, zones, country)


def _works(window: Window, country: str | None, day: date) -> bool:
    """Whether the window has hours on `day`.

    A window for a Monday to Friday week takes over the weekend of the country (Friday and Saturday
    in Israel). One that names a Saturday or Sunday says which days it means.
    """
    weekday = day.weekday()
    if weekday not in window.days or calendar.is_holiday(country, day):
        return False
    chosen = not calendar.SATURDAY_SUNDAY.isdisjoint(window.days)
    return chosen or weekday not in calendar.weekend(country)


def _open_in(clock: _Clock, at: datetime) -> bool:
    window, zone, country = clock
    local = at.astimezone(zone_info(zone))
    wall = local.time()
    within = window.start <= wall and (wall < window.end or window.end == time.max)
    return within and _works(window, country, local.date())


def _next_in(clock: _Clock, after: datetime, limit: datetime) -> datetime | None:
    """The first instant in [after, limit] at which the window is open in this one zone."""
    if _open_in(clock, after):
        return after
    day = after.astimezone(zone_info(clock[1])).date() - _DAY
    while datetime.combine(day, time(), UTC) < limit + _DAY:
        for candidate in _candidates(clock, day):
            if after <= candidate <= limit and _open_in(clock, candidate):
                return candidate
        day += _DAY
    return None


def _candidates(clock: _Clock, day: date) -> list[datetime]:
    """The instants around the local `day` at which a closed window can turn open, in order.

    It opens when the wall clock reaches its start, which a change of the clocks may repeat (both
    folds), or when a change makes the wall clock jump into it.
    """
    window, name, country = clock
    jumps = [jump for jump in jumps_of(name, day.year) if abs(jump.date() - day) <= _DAY]
    if not jumps and not _works(window, country, day):
        return []
    # A jump may lie up to two local days ahead: the openings before it must not be passed over.
    days = [day + step * _DAY for step in range(3 if jumps else 1)]
    starts = {
        datetime.combine(each, window.start, zone_info(name)).replace(fold=fold).astimezone(UTC)
        for each in days
        for fold in (0, 1)
    }
    return sorted(starts.union(jumps))


def _on_day(start: datetime, zone: str, choose: Callable[[date], date]) -> datetime:
    """The same wall clock time on the day that `choose` makes of the local day of `start`."""
    local = start.astimezone(zone_info(zone))
    # fold 0: a time that the clocks skip that day becomes the one an hour later, never earlier.
    return datetime.combine(choose(local.date()), local.timetz().replace(fold=0)).astimezone(UTC)


def _business_instant(at: datetime, zones: frozenset[str], country: str | None) -> datetime:
    """`at`, or the next instant at the same time of day that is a business day in every zone."""
    while True:
        for zone in zones:
            local = at.astimezone(zone_info(zone)).date()
            if not calendar.is_business_day(country, local):
                at = _on_day(at, zone, lambda day: calendar.add_business_days(country, day, 1))
                break
        else:
            return at
