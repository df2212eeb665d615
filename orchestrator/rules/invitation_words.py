"""What invitations say, by language, and how a time reads there."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from babel import Locale
from babel.dates import format_date, format_interval, get_timezone_location

from orchestrator.rules.zones import zone as zone_of

_By = dict[Literal["booked", "moved", "cancelled"], str]


@dataclass(frozen=True, slots=True)
class Words:
    """One language. `{other}` is whom the reader meets, `{when}` the time in their zone."""

    subject: _By
    opening: _By
    summary: str
    place: str
    note: str
    change: str
    again: str
    clock: str  # of which place the time is


WORDS = {
    "nb": Words(
        {
            "booked": "Avtalt: samtale med {other}, {when}",
            "moved": "Flyttet: samtale med {other}, {when}",
            "cancelled": "Avlyst: samtale med {other}, {when}",
        },
        {
            "booked": "Samtalen med {other} er avtalt:",
            "moved": "Samtalen med {other} er flyttet. Ny tid:",
            "cancelled": "Samtalen med {other} er avlyst. Den skulle vært:",
        },
        "Samtale: {host} og {prospect}",
        "Sted",
        "Beskjed",
        "Flytt eller avlys",
        "Finn en ny tid",
        "tid i {city}",
    ),
    "sv": Words(
        {
            "booked": "Bokat: samtal med {other}, {when}",
            "moved": "Flyttat: samtal med {other}, {when}",
            "cancelled": "Inställt: samtal med {other}, {when}",
        },
        {
            "booked": "Samtalet med {other} är bokat:",
            "moved": "Samtalet med {other} är flyttat. Ny tid:",
            "cancelled": "Samtalet med {other} är inställt. Det skulle ha varit:",
        },
        "Samtal: {host} och {prospect}",
        "Plats",
        "Meddelande",
        "Flytta eller avboka",
        "Hitta en ny tid",
        "tid i {city}",
    ),
    "da": Words(
        {
            "booked": "Aftalt: samtale med {other}, {when}",
            "moved": "Flyttet: samtale med {other}, {when}",
            "cancelled": "Aflyst: samtale med {other}, {when}",
        },
        {
            "booked": "Samtalen med {other} er aftalt:",
            "moved": "Samtalen med {other} er flyttet. Ny tid:",
            "cancelled": "Samtalen med {other} er aflyst. Den skulle have været:",
        },
        "Samtale: {host} og {prospect}",
        "Sted",
        "Besked",
        "Flyt eller aflys",
        "Find en ny tid",
        "tid i {city}",
    ),
    "en": Words(
        {
            "booked": "Booked: call with {other}, {when}",
            "moved": "Moved: call with {other}, {when}",
            "cancelled": "Cancelled: call with {other}, {when}",
        },
        {
            "booked": "Your call with {other} is booked:",
            "moved": "Your call with {other} has moved. The new time:",
            "cancelled": "Your call with {other} is cancelled. It would have been:",
        },
        "Call: {host} and {prospect}",
        "Where",
        "Note",
        "Move or cancel",
        "Find another time",
        "{city} time",
    ),
    "de": Words(
        {
            "booked": "Vereinbart: Gespräch mit {other}, {when}",
            "moved": "Verschoben: Gespräch mit {other}, {when}",
            "cancelled": "Abgesagt: Gespräch mit {other}, {when}",
        },
        {
            "booked": "Das Gespräch mit {other} ist vereinbart:",
            "moved": "Das Gespräch mit {other} ist verschoben. Neue Zeit:",
            "cancelled": "Das Gespräch mit {other} ist abgesagt. Es wäre gewesen:",
        },
        "Gespräch: {host} und {prospect}",
        "Ort",
        "Nachricht",
        "Verschieben oder absagen",
        "Eine andere Zeit finden",
        "Zeit in {city}",
    ),
}
# Norwegian in its other form and its common code read Bokmål; English dates have the day first.
_NEAR = {"no": "nb", "nn": "nb"}
_LOCALES = {"en": "en_GB"}


def spoken(language: str) -> str:
    """The language of ours that is nearest to `language` (ISO 639, perhaps with a region)."""
    code = language.replace("_", "-").partition("-")[0].lower()
    code = _NEAR.get(code, code)
    return code if code in WORDS else "en"


def local_time(start: datetime, end: datetime, zone: str, language: str) -> str:
    """`Tuesday, 24 November 2026, 10:00–10:20 (Oslo time)`: of `zone`, as written in `language`."""
    locale = Locale.parse(_LOCALES.get(language, language))
    there = zone_of(zone)
    day = format_date(start.astimezone(there), "full", locale=locale)
    hours = format_interval(start, end, "Hm", tzinfo=there, locale=locale)
    city = get_timezone_location(there, locale=locale, return_city=True)
    return f"{day}, {hours} ({WORDS[language].clock.format(city=city)})"
