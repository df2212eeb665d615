"""Days as people name them, in fourteen languages: `12. august`, `Aug 12th`, `12/8`, `uke 34`."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from importlib.resources import files
from itertools import islice
from typing import Literal

_MOST = 40  # days that a text names: a notice in three languages names ten; 600 took 0.2 s
_BEHIND = timedelta(days=60)  # a day without a year may be so far past; else next year's is meant


@dataclass(frozen=True, slots=True)
class Mention:
    """One named day, week, month or range of days, and where in the text it stands."""

    first: date
    last: date
    start: int
    end: int
    kind: Literal["day", "weekday", "week", "month", "near"]

    @property
    def ranged(self) -> bool:
        """Whether the text names two days, from the one to the other."""
        return self.kind == "day" and self.first != self.last


@dataclass(frozen=True, slots=True)
class _Words:
    months: dict[str, int]  # pattern -> number
    patterns: tuple[tuple[str, re.Pattern[str]], ...]
    weekday: tuple[re.Pattern[str], ...]
    near: tuple[tuple[str, re.Pattern[str]], ...]


def _one_of(words: list[str]) -> str:
    return "|".join(sorted(words, key=len, reverse=True))


@lru_cache(maxsize=1)
def _words() -> _Words:
    source = files("orchestrator.rules").joinpath("data/dates.toml").read_text("utf-8")
    tongues = tomllib.loads(source).values()
    months = {one: at for t in tongues for at, one in enumerate(t["months"], 1)}
    short = {one: at for t in tongues for at, one in enumerate(t["short"], 1)}
    days = [_one_of([t["weekdays"][at] for t in tongues]) for at in range(7)]
    weeks = _one_of([one for t in tongues for one in t["weeks"]])
    names = ("today", "tomorrow", "this_week", "next_week")
    near = {name: _one_of([one for t in tongues for one in t[name]]) for name in names}
    month = rf"(?P<month>{_one_of([*months, *short])})\b\.?"
    year = r"(?:,? ?(?:de |del |of )?(?P<year>20\d\d)\b)?"
    nth = r"(?:\.|st|nd|rd|th|er|º|°|:a|:e|-?го)?"
    day = rf"(?P<day>\d{{1,2}}){nth}"
    dash = r" ?(?:-|–|—|—|to|til|till|through|bis|au|al|t/m|do) ?"
    number = r"(?<![\d,:/+])(?<!\d\.)"
    patterns = {
        "iso": r"(?<![\d.,:/+-])(?P<year>20\d\d)[-./](?P<month>\d{1,2})[-./](?P<day>\d{1,2})\b",
        "word": rf"(?<![\d:,/+]){day}(?: of| de| den)? ?{month}{year}",
        "month_days": rf"\b{month} (?P<day>\d{{1,2}}){nth}(?:{dash}(?P<last>\d{{1,2}}){nth})?"
        rf"(?![\d:.]*\d){year}",
        "fi_month": r"\b(?P<month>(?:" + _one_of([m for m in months if "ku\\w" in m]) + r")) "
        r"(?P<day>\d{1,2})\.",
        "dotted": rf"{number}(?P<day>\d{{1,2}})\. ?(?P<month>\d{{1,2}})"
        r"(?:\. ?(?P<year>20\d\d|\d\d)\b|\.?)(?![\d:]|\.\d| ?(?:uhr|kr|%|€))",
        "slashed": rf"{number}(?P<day>\d{{1,2}})/(?P<month>\d{{1,2}})(?:/(?P<year>20\d\d|\d\d))?"
        r"(?![\d/])",
        "dashed": r"(?<![\d.,:/+-])(?P<day>\d{1,2})-(?P<month>\d{1,2})-(?P<year>20\d\d)\b",
        "week": rf"\b(?:{weeks}) ?(?:nr\.? ?|no\.? ?|\()?(?P<week>\d{{1,2}})"
        rf"(?:(?:{dash}|, ?\d\d?,? (?:og|och|and|und) | (?:og|och|and|und|en|&|\+) )"
        r"(?:uke |week |vecka |uge |kw )?"
        r"(?P<last>\d{1,2}))?(?![\d:%])",
        "bare": rf"\b(?:(?:{_one_of(days)})[,.]? (?:the |den |der |dem |d\. |le |el |il |dia )?"
        rf"(?P<day>\d{{1,2}}){nth}|the (?P<day_alone>\d{{1,2}})(?:st|nd|rd|th))"
        r"(?![\d:/-]|[.,]\d| ?(?:uhr|h|am|pm|kl|%|€)\b)",
        "month": rf"\b(?P<month>{_one_of([*months])})\b{year}",
    }
    return _Words(
        months={**short, **months},
        patterns=tuple((name, re.compile(pattern)) for name, pattern in patterns.items()),
        weekday=tuple(re.compile(rf"\b(?:{one})\b") for one in days),
        near=tuple((name, re.compile(rf"\b(?:{near[name]})\b")) for name in names),
    )


@lru_cache(maxsize=4096)
def _month_number(word: str) -> int:
    if word.isdigit():
        return int(word)
    known = _words().months
    return next((at for one, at in known.items() if re.fullmatch(one, word)), 0)


def fold(text: str) -> str:
    """Text as the patterns read it: casefolded, one space between words, lines kept."""
    lines = (" ".join(line.split()) for line in text.casefold().splitlines())
    return "\n".join(lines).replace("\u2019", "'").replace("\u2018", "'")


def mentions(text: str, today: date) -> list[Mention]:
    """Every day that a folded text names, in order of place, none inside another. What has no year
    is read as the day nearest to `today`, which is that of the writing."""
    flat = text.replace("\n", " ")
    found: list[Mention] = []
    for one in islice(_all(flat, today), _MOST):
        if not any(one.start < other.end and other.start < one.end for other in found):
            found.append(one)
    return _joined(sorted(found, key=lambda one: one.start), flat)


def _all(text: str, today: date) -> Iterator[Mention]:
    words = _words()
    for name, pattern in words.patterns:
        for hit in pattern.finditer(text):
            made = _week(hit, today) if name == "week" else _dated(hit, name, today, text)
            if made is not None:
                yield made
    for at, day in enumerate(words.weekday):
        for hit in day.finditer(text):
            on = today + timedelta(days=(at - today.weekday() - 1) % 7 + 1)
            yield Mention(on, on, hit.start(), hit.end(), "weekday")
    monday = today - timedelta(days=today.weekday())
    spans = {
        "today": (today, today),
        "tomorrow": (today + timedelta(days=1),) * 2,
        "this_week": (monday, monday + timedelta(days=6)),
        "next_week": (monday + timedelta(days=7), monday + timedelta(days=13)),
    }
    for name, pattern in words.near:
        for hit in pattern.finditer(text):
            yield Mention(*spans[name], hit.start(), hit.end(), "near")


def _dated(hit: re.Match[str], name: str, today: date, text: str) -> Mention | None:
    parts = hit.groupdict()
    if name == "bare":
        return _bare(hit, today)
    if hit[0] == "24/7" or re.search(r"\b(?:kl|klo|klokken|at|um|à)\.? ?$", text[: hit.start()]):
        return None
    month, year = _month_number(str(parts["month"])), int(parts.get("year") or 0)
    year += 2000 if 0 < year < 100 else 0
    if name == "month":
        start = _resolve(1, month, year, today, behind=timedelta(days=31))
        if start is None:
            return None
        following = (start + timedelta(days=32)).replace(day=1)
        return Mention(start, following - timedelta(days=1), hit.start(), hit.end(), "month")
    day = int(str(parts["day"]))
    first = _resolve(day, month, year, today)
    if name == "slashed" and _english(text):
        # Americans put the month first, Britons do not: the nearer one to come.
        swapped = _resolve(month, day, year, today)
        both = [one for one in (first, swapped) if one is not None]
        first = min(both, key=lambda one: (one < today, abs(one - today)), default=None)
    if first is None:
        return None
    last = first
    if parts.get("last"):
        last = _resolve(int(str(parts["last"])), month, first.year, today) or first
    return Mention(first, max(first, last), hit.start(), hit.end(), "day")


def _bare(hit: re.Match[str], today: date) -> Mention | None:
    """A day without its month, `Monday 17th`: the next such day to come."""
    day = int(hit["day"] or hit["day_alone"])
    for ahead in range(1, 62):
        on = today + timedelta(days=ahead)
        if on.day == day:
            return Mention(on, on, hit.start(), hit.end(), "day")
    return None


def _resolve(
    day: int, month: int, year: int, today: date, behind: timedelta = _BEHIND
) -> date | None:
    """The day meant; None when there is no such day."""
    around = []
    for one in [year] if year else [today.year - 1, today.year, today.year + 1]:
        try:
            made = date(one, month, day)
        except ValueError:
            continue
        if year or -behind <= made - today < timedelta(days=366) - behind:
            around.append(made)
    return around[0] if around else None


def _english(text: str) -> bool:
    return bool(re.search(r"\b(?:the|i am|i will|i'm|out of office|until)\b", text))


def _week(hit: re.Match[str], today: date) -> Mention | None:
    """A week by its number (ISO 8601), of the year in which it comes next."""
    first, last = int(hit["week"]), int(hit["last"] or hit["week"])
    for year in (today.year, today.year + 1):
        try:
            start = date.fromisocalendar(year, first, 1)
            end = date.fromisocalendar(year + (last < first), last, 7)
        except ValueError:
            return None
        if end >= today - timedelta(days=14):
            return Mention(start, end, hit.start(), hit.end(), "week")
    return None


_JOIN = re.compile(r"[ ,.(]*(?:-|–|—)[ (]*")
_BARE = re.compile(r"(?<![\d.,:/+])(\d{1,2})\.? ?(?:-|–|—) ?$")


def _joined(found: list[Mention], text: str) -> list[Mention]:
    """Ranges made of two days with a dash between, and a weekday with the date behind it as one."""
    made: list[Mention] = []
    for one in found:
        before = made[-1] if made else None
        if before is not None:
            gap = text[before.end : one.start]
            if (
                before.kind == "weekday"
                and one.kind == "day"
                and re.fullmatch(
                    r"[ ,.(]*(?:the |den |der |dem |d\. |le |el |il |dia |\w{0,2}\.? )?[(]?", gap
                )
            ):
                made[-1] = Mention(one.first, one.last, before.start, one.end, one.kind)
                one = made.pop()
                before = made[-1] if made else None
                gap = text[before.end : one.start] if before else ""
            if before and _JOIN.fullmatch(gap) and one.last > before.first:
                made[-1] = Mention(before.first, one.last, before.start, one.end, "day")
                continue
        bare = _BARE.search(text[: one.start]) if one.kind == "day" else None
        if bare and 1 <= int(bare[1]) < one.last.day:
            one = Mention(
                one.last.replace(day=int(bare[1])), one.last, bare.start(), one.end, "day"
            )
        made.append(one)
    return made
