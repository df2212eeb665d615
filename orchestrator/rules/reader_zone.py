"""In which zone a page shows its times, and which ones it offers instead."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from orchestrator.rules.zones import is_zone, plausible_zones

# Cities in which readers are likely to look for themselves; the first of a country stands for it.
COMMON = (
    *("Europe/Oslo", "Europe/Stockholm", "Europe/Copenhagen", "Europe/Helsinki"),
    *("Atlantic/Reykjavik", "Europe/London", "Europe/Dublin", "Europe/Lisbon", "Europe/Madrid"),
    *("Europe/Paris", "Europe/Brussels", "Europe/Amsterdam", "Europe/Berlin", "Europe/Zurich"),
    *("Europe/Vienna", "Europe/Rome", "Europe/Prague", "Europe/Warsaw", "Europe/Budapest"),
    *("Europe/Tallinn", "Europe/Riga", "Europe/Vilnius", "Europe/Athens", "Europe/Bucharest"),
    *("Europe/Kyiv", "Europe/Istanbul", "Atlantic/Canary", "Africa/Casablanca", "Africa/Lagos"),
    *("Africa/Cairo", "Africa/Nairobi", "Africa/Johannesburg", "Asia/Jerusalem", "Asia/Riyadh"),
    *("Asia/Dubai", "Asia/Karachi", "Asia/Kolkata", "Asia/Bangkok", "Asia/Singapore"),
    *("Asia/Hong_Kong", "Asia/Shanghai", "Asia/Manila", "Asia/Seoul", "Asia/Tokyo"),
    *("Australia/Sydney", "Australia/Brisbane", "Australia/Adelaide", "Australia/Perth"),
    *("Pacific/Auckland", "America/New_York", "America/Chicago", "America/Denver"),
    *("America/Phoenix", "America/Los_Angeles", "America/Anchorage", "Pacific/Honolulu"),
    *("America/Toronto", "America/Halifax", "America/Vancouver", "America/Mexico_City"),
    *("America/Bogota", "America/Lima", "America/Santiago", "America/Sao_Paulo"),
    *("America/Argentina/Buenos_Aires", "UTC"),
)
_FEW = 12  # more likely zones than this are no help in a list


@dataclass(frozen=True, slots=True)
class ReaderZone:
    """The zone that is shown. `sure`: it is known, or every plausible one has the same clock."""

    name: str
    sure: bool


def reader_zone(
    *, wanted: str | None, known: str | None, country: str | None, fallback: str, now: datetime
) -> ReaderZone:
    """The zone that the reader asked for, else the known one, else the best guess from their
    country, else `fallback`."""
    for name in (wanted, known):
        if name is not None and is_zone(name):
            return ReaderZone(name, True)
    if not country:
        return ReaderZone(fallback, False)
    plausible = plausible_zones(zone=None, country=country)
    best = [name for name in COMMON if name in plausible] or sorted(plausible)
    if fallback in plausible:
        best.insert(0, fallback)
    return ReaderZone(best[0], _same_clock(plausible, now))


def likely_zones(*, shown: str, known: str | None, country: str | None, host: str) -> list[str]:
    """What to offer first: the zone that is shown, the known one, the country's, the host's."""
    named = [shown, *([known] if known and is_zone(known) else [])]
    if country:
        plausible = plausible_zones(zone=None, country=country)
        common = [name for name in COMMON if name in plausible]
        named += sorted(plausible) if len(plausible) <= _FEW else common
    return list(dict.fromkeys([*named, host]))


def _same_clock(names: Iterable[str], now: datetime) -> bool:
    """Whether these zones agree now, and in the other half of the year."""
    return all(
        len({at.astimezone(ZoneInfo(name)).utcoffset() for name in names}) == 1
        for at in (now, now + timedelta(days=182))
    )
