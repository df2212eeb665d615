"""Which zones a prospect may be in. Not knowing gives more zones, and so a narrower window (L5)."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from importlib.resources import files
from zoneinfo import ZoneInfo

import phonenumbers
from babel.languages import get_official_languages

# Country-code domains that are sold to the whole world (or, like .eu and .su, are no one country):
# an address under them says nothing about where its reader is.
_WORLDWIDE = (
    " ac ai am as bz cc cf cd cm co cx dj eu fm ga gd gg gl gq gs hm im in io la lc li ly md me ml"
    " mn ms mu nu pn pw sc sh so st su tk tl to tv vc vg vu ws "
)


@lru_cache(maxsize=1)
def known_zones() -> frozenset[str]:
    """Every name of the IANA database, links included; without `Factory`, which is no place."""
    return frozenset(_lines("zones")) - {"Factory"}


def is_zone(name: str | None) -> bool:
    """Whether `name` is an IANA zone, spelled as the database spells it."""
    return name in known_zones()


@lru_cache(maxsize=1024)
def zone(name: str) -> ZoneInfo:
    """The zone called `name`. Raises ZoneInfoNotFoundError."""
    return ZoneInfo(name)


@lru_cache(maxsize=1)
def zones_by_country() -> dict[str, frozenset[str]]:
    """ISO 3166-1 alpha-2 -> the zones of that country (zone.tab: one country a zone)."""
    found: dict[str, set[str]] = {}
    for line in _lines("zoneinfo/zone.tab"):
        code, _, name = line.split("\t")[:3]
        found.setdefault(code, set()).add(name)
    return {code: frozenset(names) for code, names in found.items()}


@lru_cache(maxsize=1)
def all_zones() -> frozenset[str]:
    """Every zone in which people live: what is plausible when nothing is known."""
    return frozenset().union(*zones_by_country().values())


def plausible_zones(
    *,
    zone: str | None,
    country: str | None,
    phone: str | None = None,
    address: str | None = None,
    language: str | None = None,
) -> frozenset[str]:
    """The zones in which a prospect may be, by the best that is known: never empty.

    A valid zone is taken as it is; else the zones of the country, of the country of the phone
    number (E.164), of the country-code domain of the address, of the countries where the language
    is official; else all zones.
    """
    if zone is not None and (only := _only(zone)):
        return only
    return _guessed(country, phone, address, language)


@lru_cache(maxsize=1024)
def _only(name: str) -> frozenset[str]:
    """The zone called so and no other; empty when there is none."""
    return frozenset({name}) if is_zone(name) else frozenset()


@lru_cache(maxsize=4096)
def _guessed(
    country: str | None, phone: str | None, address: str | None, language: str | None
) -> frozenset[str]:
    evidence = (
        (country.upper(),) if country else (),
        _countries_of_phone(phone),
        _countries_of_address(address),
        _countries_of_language(language),
    )
    for countries in evidence:
        if found := _zones_of(countries):
            return found
    return all_zones()


@lru_cache(maxsize=8192)
def jumps_of(name: str, year: int) -> tuple[datetime, ...]:
    """The instants (UTC) at which the wall clock of a zone jumps in `year`, two days each side."""
    first = datetime(year, 1, 1, tzinfo=UTC) - timedelta(days=2)
    days = [first + timedelta(days=step) for step in range(371)]
    offsets = [_offset(name, day) for day in days]
    return tuple(
        _bisect(name, days[step], days[step + 1])
        for step in range(370)
        if offsets[step] != offsets[step + 1]
    )


def _offset(name: str, at: datetime) -> timedelta | None:
    return at.astimezone(zone(name)).utcoffset()


def _bisect(name: str, before: datetime, after: datetime) -> datetime:
    """The first whole second between two instants that has the offset of the later one."""
    target = _offset(name, after)
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before) // timedelta(seconds=2))
        if _offset(name, middle) == target:
            after = middle
        else:
            before = middle
    return after


def _lines(name: str) -> Iterable[str]:
    text = files("tzdata").joinpath(name).read_text("utf-8")
    return (line for line in text.splitlines() if line and not line.startswith("#"))


def _zones_of(countries: Iterable[str]) -> frozenset[str]:
    by_country = zones_by_country()
    return frozenset().union(*(by_country.get(code, frozenset()) for code in countries))


def _countries_of_phone(phone: str | None) -> tuple[str, ...]:
    """The region of the number; every region of its calling code when the number does not tell."""
    if not phone:
        return ()
    try:
        number = phonenumbers.parse(phone)
    except phonenumbers.NumberParseException:
        return ()
    region = phonenumbers.region_code_for_number(number)
    if region and region in zones_by_country():
        return (region,)
    return tuple(phonenumbers.region_codes_for_country_code(number.country_code or 0))


def _countries_of_address(address: str | None) -> tuple[str, ...]:
    if not address or "@" not in address:
        return ()
    domain = address.rpartition("@")[2].rstrip(".").rpartition(".")[2].lower()
    if f" {domain} " in _WORLDWIDE:
        return ()
    return ("GB",) if domain == "uk" else (domain.upper(),)


@lru_cache(maxsize=256)
def _countries_of_language(language: str | None) -> tuple[str, ...]:
    """Where `language` (ISO 639, a script or region behind it is ignored) is an official one."""
    if not language:
        return ()
    code = language.replace("_", "-").partition("-")[0].lower()
    return tuple(
        country
        for country in zones_by_country()
        if code in get_official_languages(country, regional=True, de_facto=True)
    )
