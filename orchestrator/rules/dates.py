"""A date plainly stated in an answer, in nb, nn, sv, da, en and de."""

import re
from calendar import monthrange
from collections.abc import Iterator
from datetime import date, timedelta

from orchestrator.rules.mentions import mentions

_MONTHS: dict[str, int] = {
    name: number
    for number, names in enumerate(
        (
            "january januar januari",
            "february februar februari",
            "march mars marts märz",
            "april",
            "may mai maj",
            "june juni",
            "july juli",
            "august augusti",
            "september",
            "october oktober",
            "november",
            "december desember dezember",
        ),
        1,
    )
    for name in names.split()
}
_MONTH = "(?P<month>" + "|".join(sorted(_MONTHS, key=len, reverse=True)) + ")"
_YEAR = r"(?:,? (?P<year>20\d\d))?"
_ISO = re.compile(r"\b(?P<year>20\d\d)-(?P<month>\d\d)-(?P<day>\d\d)\b")
_DOTTED = re.compile(r"\b(?P<day>\d{1,2})\.(?P<month>\d{1,2})\.(?P<year>20\d\d)\b")
_DAY_MONTH = re.compile(rf"\b(?P<day>\d{{1,2}})(?:\.|st|nd|rd|th)?(?: of)? {_MONTH}\b{_YEAR}")
_MONTH_DAY = re.compile(rf"\b{_MONTH} (?P<day>\d{{1,2}})(?:st|nd|rd|th)?\b(?!\d){_YEAR}")
# A month alone needs a word before it: "may" and "mars" are words, too.
_MONTH_ONLY = re.compile(
    r"\b(?:in|i|im|after|etter|efter|nach|until|til|till|from|fra|från|ab|around|rundt|omkring"
    r"|början av"
    r"|starten av|begynnelsen av|slutten av|early|late|mid|anfang|ende|mitte|next|end of"
    r"|start of|of)"
    rf" {_MONTH}\b{_YEAR}"
)
_NUMBERS = {
    word: number
    for number, words in {
        1: "a an one en ett et én einem einer ein",
        2: "two to två zwei a couple of couple of et par ett par et par",
        3: "three tre drei",
        4: "four fire fyra vier",
        5: "five fem fünf",
        6: "six seks sex sechs",
    }.items()
    for word in words.split()
}
_UNITS = {
    "day": 1, "days": 1, "dager": 1, "dagar": 1, "dage": 1, "tagen": 1, "veker": 7,
    "week": 7, "weeks": 7, "uke": 7, "uker": 7, "vecka": 7, "veckor": 7, "uge": 7, "uger": 7,
    "woche": 7, "wochen": 7,
    "month": 30, "months": 30, "måned": 30, "måneder": 30, "månad": 30, "månader": 30, "monat": 30,
    "monaten": 30, "monate": 30,
    "year": 365, "år": 365, "jahr": 365,
}  # fmt: skip
_COUNT = "|".join(_NUMBERS)
_UNIT = "|".join(_UNITS)
_IN = re.compile(
    r"\b(?:in|om|about)(?: about| ca\.?| rundt| ungefär| etwa)?"
    rf" (?P<n>\d{{1,2}}|{_COUNT}) (?P<unit>{_UNIT})\b"
)
_QUARTER = re.compile(r"\b(?:q(?P<a>[1-4])|(?P<b>[1-4])\. ?(?:kvartal|quartal))\b" + _YEAR)
_NEXT_WEEK = re.compile(r"\b(?:next week|neste uke|nästa vecka|næste uge|nächste woche)\b")
_NEXT_MONTH = re.compile(r"\b(?:next month|neste måned|nästa månad|næste måned|nächsten? monat)\b")
_NEXT_YEAR = re.compile(
    r"\b(?:next year|neste år|nästa år|næste år|nächstes jahr|new year|nyttår|nyår|nytår"
    r"|til neste år)\b"
)

_AFTER = r"\b(?:after|post|etter|efter|over|nach)(?: the| de[nrmst]?| din| your)? "
_SUMMER = re.compile(
    _AFTER
    + r"(?:summer(?:time)?(?: break| holidays?| vacation)?|sommeren|sommerferien?|sommarferien?"
    r"|fellesferien|industriferien|sommaren|semestern|semestrarna|sommer(?:ferien|pause|urlaub)?)\b"
)
_HOLIDAYS = re.compile(
    _AFTER + r"(?:holidays?|vacation|ferien|ferie|ferierna|urlaub|feiertagen?|helgene)\b"
)
_CHRISTMAS = re.compile(
    _AFTER + r"(?:christmas|xmas|jul(?:a|en|eferien|helgen|ferien)?|weihnachten|neujahr)\b"
)
_EASTER = re.compile(_AFTER + r"(?:easter|påsken?|påskeferien|ostern)\b")
_SEASONS = (
    (3, re.compile(r"\b(?:in(?: the)? spring|til våren|i vår|till våren|til foråret|im frühjahr"
                   r"|im frühling)\b")),
    (6, re.compile(r"\b(?:in(?: the)? summer|til sommeren|i sommer|till sommaren|i sommar"
                   r"|im sommer)\b")),
    (9, re.compile(r"\b(?:in(?: the)? (?:autumn|fall)|this (?:autumn|fall)|til høsten|i høst"
                   r"|utpå høsten|till hösten|i höst|til efteråret|im herbst)\b")),
)  # fmt: skip
_ORDINALS = re.compile(
    r"\b(?P<n>first|second|third|fourth|første|andre|tredje|fjerde|första|andra|fjärde|andet"
    r"|erste[ns]?|zweite[ns]?|dritte[ns]?|vierte[ns]?) (?:quarter|kvartal(?:et)?|quartal)\b"
)
_NTH = {"f": 1, "e": 1, "s": 2, "a": 2, "z": 2, "t": 3, "d": 3, "v": 4}  # by the first letter


def find_date(text: str, today: date) -> date | None:
    """The day after `today` that a folded text names; None without one, or when it names several.

    A month alone is its first day; "next year" its first working week; without a year, the next
    such day to come.
    """
    found = {day for day in _found(text, today) if day is not None and day > today}
    return found.pop() if len(found) == 1 else None


def _found(text: str, today: date) -> Iterator[date | None]:
    for pattern in (_ISO, _DOTTED, _DAY_MONTH, _MONTH_DAY, _MONTH_ONLY):
        hits = list(pattern.finditer(text))
        for hit in hits:
            yield _named(hit.groupdict(), today)
        if hits:
            return  # "15 January" also has a month in it
    for hit in _IN.finditer(text):
        amount = int(hit["n"]) if hit["n"].isdigit() else _NUMBERS[hit["n"]]
        yield _later(today, amount, _UNITS[hit["unit"]])
    for hit in _QUARTER.finditer(text):
        yield _named({"month": str(3 * int(hit["a"] or hit["b"]) - 2), "year": hit["year"]}, today)
    if _NEXT_WEEK.search(text):
        yield today + timedelta(days=7 - today.weekday())
    if _NEXT_MONTH.search(text):
        yield _later(today.replace(day=1), 1, 30)
    if _NEXT_YEAR.search(text) or _CHRISTMAS.search(text):
        yield date(today.year + 1, 1, 4)
    yield from _seasons(text, today)
    for one in mentions(text, today):
        if one.kind in ("week", "weekday") or (one.kind == "day" and one.first == one.last):
            yield one.first


def _seasons(text: str, today: date) -> Iterator[date]:
    """ "After the summer" is the middle of August, when the North is back at work."""
    for hit in _ORDINALS.finditer(text):
        number = 4 if hit["n"][:2] in ("fo", "fj") else _NTH[hit["n"][0]]
        yield _next(today, 3 * number - 2, 1)
    if _SUMMER.search(text):
        yield _next(today, 8, 15)
    elif _HOLIDAYS.search(text):
        # The next ones to end, seen from the season: those of Christmas, or those of summer.
        yield (
            _next(today, 1, 4)
            if today.month > 10 or today < date(today.year, 1, 4)
            else (_next(today, 8, 15))
        )
    if _EASTER.search(text):
        this, coming = _easter(today.year), _easter(today.year + 1)
        yield (this if this > today else coming) + timedelta(days=2)
    for month, pattern in _SEASONS:
        if pattern.search(text):
            yield _next(today, month, 1)


def _next(today: date, month: int, day: int) -> date:
    named = date(today.year, month, day)
    return named if named > today else date(today.year + 1, month, day)


def _easter(year: int) -> date:
    """Easter Sunday of the Gregorian calendar (the anonymous computus)."""
    century, rest = divmod(year, 100)
    skipped = (century - (century + 8) // 25 + 1) // 3
    moon = (19 * (year % 19) + century - century // 4 - skipped + 15) % 30
    lead = (32 + 2 * (century % 4) + 2 * (rest // 4) - moon - rest % 4) % 7
    late = (year % 19 + 11 * moon + 22 * lead) // 451
    month, day = divmod(moon + lead - 7 * late + 114, 31)
    return date(year, month, day + 1)


def _named(parts: dict[str, str | None], today: date) -> date | None:
    month_name, day = parts["month"] or "", int(parts.get("day") or 1)
    month = int(month_name) if month_name.isdigit() else _MONTHS[month_name]
    try:
        if parts["year"]:
            return date(int(parts["year"]), month, day)
        named = date(today.year, month, day)
        return named if named > today else date(today.year + 1, month, day)
    except ValueError:
        return None


def _later(today: date, amount: int, unit: int) -> date:
    if unit < 30:
        return today + timedelta(days=unit * amount)
    months = today.month - 1 + amount * (12 if unit == 365 else 1)
    year, month = today.year + months // 12, months % 12 + 1
    return date(year, month, min(today.day, monthrange(year, month)[1]))
