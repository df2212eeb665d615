"""A date plainly stated in an answer, in nb, sv, da, en and de."""

import re
from calendar import monthrange
from collections.abc import Iterator
from datetime import date, timedelta

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
        6: "six seks sex sechs",
    }.items()
    for word in words.split()
}
_UNITS = {
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
    if _NEXT_YEAR.search(text):
        yield date(today.year + 1, 1, 4)


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
    if unit == 7:
        return today + timedelta(weeks=amount)
    months = today.month - 1 + amount * (12 if unit == 365 else 1)
    year, month = today.year + months // 12, months % 12 + 1
    return date(year, month, min(today.day, monthrange(year, month)[1]))
