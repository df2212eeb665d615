"""What an answer means, by small rules kept as data. Whatever is not plain is left to a person."""

import re
import tomllib
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from importlib.resources import files
from typing import Literal

from orchestrator.rules.dates import find_date

Meaning = Literal["interested", "stop", "no", "not_now", "unclear"]

_LIMIT = 3000  # characters: who writes more is not giving a short answer
_END = re.compile(r"[.!?\n;]")  # of a sentence
_MANY = 200  # words: rules this small do not understand a long letter


@dataclass(frozen=True, slots=True)
class Verdict:
    """A meaning, the date of a `not_now` when it is plainly stated, and which rules said so."""

    meaning: Meaning
    until: date | None = None
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Rules:
    language: str
    by_meaning: dict[str, tuple[re.Pattern[str], ...]]
    negation: re.Pattern[str]
    doubt: re.Pattern[str]
    assent: re.Pattern[str]


@lru_cache(maxsize=1)
def _rules() -> tuple[_Rules, ...]:
    source = files("orchestrator.rules").joinpath("data/meaning.toml").read_text("utf-8")
    return tuple(
        _Rules(
            language,
            {
                meaning: tuple(re.compile(pattern, re.MULTILINE) for pattern in entry[meaning])
                for meaning in ("stop", "no", "not_now", "interested")
            },
            re.compile(entry["not"]),
            re.compile(entry["doubt"]),
            re.compile(entry["assent"]),
        )
        for language, entry in tomllib.loads(source).items()
    )


def read(text: str, *, today: date) -> Verdict:
    """The meaning of what somebody wrote, in any of nb, sv, da, en and de. `text` is theirs alone,
    without quotes (`mail_reading`); `today` is their date, for "next month".

    `stop` wins always. Two meanings in one answer, none, or a long letter are `unclear`.
    """
    folded = _fold(text)
    if not folded:
        return Verdict("unclear", reasons=("nothing written",))
    if stopped := _hits(folded, "stop"):
        return Verdict("stop", reasons=stopped)
    if len(folded.split()) > _MANY:
        return Verdict("unclear", reasons=("a long letter",))
    refused = _hits(folded, "no")
    rest = _without(folded, ("no",))
    later = _hits(rest, "not_now")
    rest = _without(rest, ("not_now",))
    keen = _keen(rest)
    reasons = (*refused, *later, *keen)
    if refused:
        # "No thanks, perhaps next year" and "yes, but it is not for us" are for a person to read.
        agreed = any(rules.assent.search(folded) for rules in _rules())
        plain = not later and not keen and not agreed
        return Verdict("no" if plain else "unclear", reasons=reasons)
    if later:
        return Verdict("not_now", find_date(folded, today), reasons)
    if keen:
        return Verdict("interested", reasons=reasons)
    return Verdict("unclear", reasons=("no rule fits",))


def _fold(text: str) -> str:
    lines = (" ".join(line.split()) for line in text[:_LIMIT].casefold().splitlines())
    return "\n".join(line for line in lines if line).replace("\u2019", "'")


def _hits(text: str, meaning: str) -> tuple[str, ...]:
    return tuple(
        f"{rules.language} {meaning} {number}"
        for rules in _rules()
        for number, pattern in enumerate(rules.by_meaning[meaning], 1)
        if pattern.search(text)
    )


def _without(text: str, meanings: tuple[str, ...]) -> str:
    for rules in _rules():
        for meaning in meanings:
            for pattern in rules.by_meaning[meaning]:
                text = pattern.sub(" ~ ", text)
    return text


def _keen(text: str) -> tuple[str, ...]:
    """Rules of interest that hold where no word of the same sentence denies or conditions them, in
    a text that gives no reason to doubt it: what earns a call has to be plain (L1)."""
    if any(rules.doubt.search(text) for rules in _rules()):
        return ()
    found = []
    for rules in _rules():
        for number, pattern in enumerate(rules.by_meaning["interested"], 1):
            if any(not _denied(text, match, rules) for match in pattern.finditer(text)):
                found.append(f"{rules.language} interested {number}")
    return tuple(found)


def _denied(text: str, match: re.Match[str], rules: _Rules) -> bool:
    """Before the match a denial of any language counts, behind it one of its own: the Swedish word
    for `if` means `about` elsewhere, and follows interest all the time."""
    before = _END.split(text[: match.start()])[-1][-40:]
    behind = _END.split(text[match.end() :])[0][:40]
    return bool(rules.negation.search(behind)) or any(
        other.negation.search(before) for other in _rules()
    )
