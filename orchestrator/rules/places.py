"""Countries, languages and zones, as people write them in English, Norwegian or Swedish."""

from functools import lru_cache

from babel import Locale
from babel.core import get_global

from orchestrator.rules.zones import known_zones, zones_by_country

_SPOKEN = ("en", "nb", "sv")
# Languages that are also known by their own name; reading babel's texts of all takes a second.
_NATIVE = ("da", "de", "es", "fi", "fr", "is", "it", "nl", "pl", "pt")
# What people call places that the databases call something else.
_COUNTRIES = {
    "uk": "GB", "great britain": "GB", "england": "GB", "scotland": "GB", "wales": "GB",
    "storbritannia": "GB", "storbritannien": "GB", "usa": "US", "america": "US", "amerika": "US",
    "u.s.": "US", "u.s.a.": "US", "holland": "NL", "czech republic": "CZ", "tsjekkia": "CZ",
    "noreg": "NO", "eire": "IE", "turkey": "TR",
}  # fmt: skip
_LANGUAGES = {
    "no": "nb", "nor": "nb", "norsk": "nb", "norwegian": "nb", "norska": "nb", "bokmål": "nb",
    "bokmal": "nb", "norsk bokmål": "nb", "nynorsk": "nn", "norsk nynorsk": "nn",
    "se": "sv", "dk": "da", "gb": "en", "us": "en", "uk": "uk", "swe": "sv", "dan": "da",
    "eng": "en", "deu": "de", "ger": "de", "fin": "fi",
}  # fmt: skip
_ZONES = {
    "norway": "Europe/Oslo", "norge": "Europe/Oslo",
    "sweden": "Europe/Stockholm", "sverige": "Europe/Stockholm", "denmark": "Europe/Copenhagen",
    "danmark": "Europe/Copenhagen", "københavn": "Europe/Copenhagen",
    "köpenhamn": "Europe/Copenhagen", "finland": "Europe/Helsinki",
    "helsingfors": "Europe/Helsinki", "göteborg": "Europe/Stockholm",
    "gothenburg": "Europe/Stockholm", "malmö": "Europe/Stockholm", "bergen": "Europe/Oslo",
    "trondheim": "Europe/Oslo", "uk": "Europe/London", "gmt": "Etc/GMT", "z": "UTC",
}  # fmt: skip
_UNITED = {"UK": "GB", "EL": "GR"}


@lru_cache(maxsize=1)
def _country_names() -> dict[str, str]:
    names: dict[str, str] = {}
    for language in _SPOKEN:
        for code, name in Locale(language).territories.items():
            if len(code) == 2 and code.isalpha() and code not in ("EU", "EZ", "UN", "ZZ", "QO"):
                names.setdefault(name.casefold(), code)
    for alias, codes in get_global("territory_aliases").items():
        if len(alias) == 3 and alias.isalpha() and len(codes) == 1:
            names.setdefault(alias.casefold(), codes[0])
    return names | _COUNTRIES


@lru_cache(maxsize=4096)
def country(text: str) -> str:
    """ISO 3166-1 alpha-2 of a name or a code (`Norge`, `NOR`, `no`). Raises ValueError."""
    word = text.strip()
    code = _UNITED.get(word.upper(), word.upper())
    if len(code) == 2 and code in zones_by_country():
        return code
    try:
        return _country_names()[word.casefold()]
    except KeyError:
        raise ValueError(f"`{text}` is no country: write NO, NOR or Norway") from None


@lru_cache(maxsize=1)
def _language_names() -> dict[str, str]:
    names: dict[str, str] = {}
    for language in _SPOKEN:
        for code, name in Locale(language).languages.items():
            if code.isalpha():
                names.setdefault(name.casefold(), code)
    for code in _NATIVE:
        names.setdefault((Locale(code).get_language_name(code) or code).casefold(), code)
    return names | _LANGUAGES


@lru_cache(maxsize=4096)
def language(text: str) -> str:
    """The language's code without its region: `Norwegian`, `no`, `nb-NO` -> `nb`.

    Raises ValueError.
    """
    word = text.strip().casefold()
    names = _language_names()
    base = word.replace("_", "-").split("-")[0]
    for candidate in (word, base):
        if candidate in names:
            return names[candidate]
        if candidate.isascii() and candidate.isalpha() and len(candidate) in (2, 3):
            code = str(get_global("language_aliases").get(candidate, candidate))
            if code in _language_codes():
                return _LANGUAGES.get(code, code)
    raise ValueError(f"`{text}` is no language: write nb, sv, en, or its name")


@lru_cache(maxsize=1)
def _language_codes() -> frozenset[str]:
    return frozenset(Locale("en").languages)


@lru_cache(maxsize=1)
def _zone_names() -> dict[str, str]:
    names = {name.casefold(): name for name in known_zones()}
    for name in sorted(known_zones()):
        if name.split("/")[0] in ("Africa", "America", "Asia", "Atlantic", "Australia", "Europe",
                                  "Indian", "Pacific"):  # fmt: skip
            city = name.rsplit("/", 1)[-1].replace("_", " ").casefold()
            names.setdefault(city, name)
    return names | _ZONES


@lru_cache(maxsize=4096)
def zone(text: str) -> str:
    """The IANA name of a zone, or of a well-known city: `Oslo` -> `Europe/Oslo`.

    Raises ValueError.
    """
    word = text.strip().casefold()
    names = _zone_names()
    for candidate in (word, word.replace(" ", "_"), word.replace("_", " ")):
        if candidate in names:
            return names[candidate]
    raise ValueError(f"`{text}` is no time zone: write Europe/Oslo, or a city such as Oslo")
