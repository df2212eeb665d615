"""The reader's zone on a page, and the list from which another one can be chosen."""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from orchestrator.flows.view_page import Page
from orchestrator.pages.local import Local, offset
from orchestrator.pages.words import Words
from orchestrator.rules.reader_zone import COMMON, ReaderZone, likely_zones, reader_zone


@dataclass(frozen=True, slots=True)
class Option:
    """One zone in the list."""

    name: str
    label: str


def shown_zone(page: Page, now: datetime, wanted: str | None = None) -> ReaderZone:
    """The zone in which this page shows its times."""
    return reader_zone(
        wanted=wanted,
        known=page.zone,
        country=page.country,
        fallback=page.call.host_zone if page.call else "UTC",
        now=now,
    )


def zone_of(page: Page, now: datetime, wanted: str | None = None) -> ZoneInfo:
    """The same as something that datetimes take."""
    return ZoneInfo(shown_zone(page, now, wanted).name)


def local_of(page: Page, words: Words, now: datetime, wanted: str | None = None) -> Local:
    """Formats for this reader."""
    return Local(words, page.country, zone_of(page, now, wanted))


def options(page: Page, local: Local, now: datetime) -> tuple[list[Option], list[Option]]:
    """Likely zones first, then common places by name; each with its offset at `now`."""
    likely = likely_zones(
        shown=local.zone.key,
        known=page.zone,
        country=page.country,
        host=page.call.host_zone if page.call else local.zone.key,
    )
    rest = [_option(name, local, now) for name in COMMON if name not in likely]
    return (
        [_option(name, local, now) for name in likely],
        sorted(rest, key=lambda option: option.label.casefold()),
    )


def _option(name: str, local: Local, now: datetime) -> Option:
    return Option(name, f"{local.place(name)} ({offset(ZoneInfo(name), now)})")
