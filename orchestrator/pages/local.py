"""Dates and times as one prospect reads them: in their language, country's habits and zone."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.dates import (
    format_date,
    format_interval,
    format_skeleton,
    format_time,
    get_timezone_location,
)

from orchestrator.pages.words import Words

_HOMES = {"en": "GB", "nb": "NO", "sv": "SE", "da": "DK", "de": "DE"}


class Local:
    """Formats for one reader in one zone."""

    def __init__(self, words: Words, country: str | None, zone: ZoneInfo) -> None:
        self.words = words
        self.zone = zone
        self.locale = _locale(words.language, country)

    def day(self, when: date | datetime) -> str:
        """`tirsdag 24. november`. A datetime is read in the zone."""
        pattern = "format.day_us" if self.locale.territory == "US" else "format.day"
        return format_date(self._date(when), self.words(pattern), locale=self.locale)

    def full(self, when: date | datetime) -> str:
        """`24. november 2026`."""
        return format_date(self._date(when), "long", locale=self.locale)

    def weekday(self, when: date) -> str:
        """`tirsdag`."""
        return format_date(when, "EEEE", locale=self.locale)

    def day_of_month(self, when: date) -> str:
        """`24. november`, or `November 24`."""
        return str(format_skeleton("MMMMd", when, locale=self.locale))

    def span(self, first: date, last: date) -> str:
        """`23.–29. nov.`, for a week."""
        return str(format_interval(first, last, "MMMd", locale=self.locale))

    def time(self, when: datetime) -> str:
        """`14:30` or `2:30 PM`, as the country writes it."""
        return format_time(when, "short", tzinfo=self.zone, locale=self.locale)

    def moment(self, start: datetime) -> str:
        """Day and time in one phrase: `tirsdag 24. november kl. 10:00`."""
        return self.words("format.when", day=self.day(start), time=self.time(start))

    def when(self, start: datetime) -> str:
        """The same, to begin a sentence with."""
        phrase = self.moment(start)
        return phrase[:1].upper() + phrase[1:]

    def place(self, zone: str | None = None) -> str:
        """The city that stands for a zone, in the reader's language."""
        name = zone or self.zone.key
        return get_timezone_location(name, locale=self.locale, return_city=True)

    def offset(self, at: datetime) -> str:
        """`UTC+1`, `UTC+5:30`: the zone's offset at `at`."""
        return offset(self.zone, at)

    def _date(self, when: date | datetime) -> date:
        return when.astimezone(self.zone).date() if isinstance(when, datetime) else when


def offset(zone: ZoneInfo, at: datetime) -> str:
    """The offset of `zone` from UTC at `at`, as people write it."""
    moved = at.astimezone(zone).utcoffset()
    minutes = int(moved.total_seconds()) // 60 if moved else 0
    if not minutes:
        return "UTC"
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'+' if minutes > 0 else '−'}{hours}" + (f":{rest:02}" if rest else "")


def _locale(language: str, country: str | None) -> Locale:
    for territory in (country, _HOMES[language]):
        try:
            if territory:
                return Locale.parse(f"{language}_{territory.upper()}")
        except (UnknownLocaleError, ValueError):
            continue
    return Locale.parse(language)
