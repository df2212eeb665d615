"""How fast a lane may go: daily cap, minimum gap with jitter, backoff after trouble."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

MAX_ATTEMPTS = 12  # with the backoff below, about two days
_FIRST_RETRY = 60.0
_LONGEST_RETRY = 6 * 3600.0
_FIRST_PARK = 15.0
_LONGEST_PARK = 900.0


@dataclass(frozen=True, slots=True)
class Lane:
    """The pace of one sender account and where it stands today."""

    daily_cap: int
    gap_seconds: int
    jitter_seconds: int
    zone: str
    day: date | None
    used: int
    free_since: datetime | None = None  # when gap, cap and rest let it send again


@dataclass(frozen=True, slots=True)
class Room:
    """How many messages may be claimed now, and the local day that they count for."""

    count: int
    day: date
    used: int


def room(lane: Lane, now: datetime, batch: int) -> Room:
    """What is left of today's cap, at most `batch`, and one at a time when a gap is kept."""
    today = now.astimezone(ZoneInfo(lane.zone)).date()
    used = lane.used if lane.day == today else 0
    count = min(batch, max(0, lane.daily_cap - used))
    if lane.gap_seconds or lane.jitter_seconds:
        count = min(count, 1)
    return Room(count, today, used)


def free_at(lane: Lane, now: datetime, fraction: float) -> datetime:
    """When the next message of this lane may leave; `fraction` in [0, 1) is its jitter."""
    return now + timedelta(seconds=lane.gap_seconds + lane.jitter_seconds * fraction)


def next_day(lane: Lane, now: datetime) -> datetime:
    """The next local midnight of the sender: when a used-up cap is fresh again."""
    zone = ZoneInfo(lane.zone)
    tomorrow = now.astimezone(zone).date() + timedelta(days=1)
    return datetime(tomorrow.year, tomorrow.month, tomorrow.day, tzinfo=zone)


def retry_at(now: datetime, attempt: int, fraction: float, asked: float | None = None) -> datetime:
    """When attempt number `attempt` (from 1) may be repeated: doubling, with up to 20 % jitter.

    `asked` is what the provider wants at least, in seconds.
    """
    seconds = min(_LONGEST_RETRY, _FIRST_RETRY * 2 ** min(attempt - 1, 20)) * (1 + 0.2 * fraction)
    return now + timedelta(seconds=max(seconds, asked or 0))


def parked_until(now: datetime, failures: int, asked: float | None = None) -> datetime:
    """How long a lane rests after its `failures`-th trouble in a row (from 1)."""
    seconds = min(_LONGEST_PARK, _FIRST_PARK * 2 ** min(failures - 1, 20))
    return now + timedelta(seconds=max(seconds, asked or 0))
