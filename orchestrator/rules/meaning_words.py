"""The words by which answers are read: shipped data, and an operator's own file beside it."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from orchestrator.rules import opt_out

KINDS = ("stop", "alone", "not_stop", "no", "not_now", "interested", "wrong_person")
MARKS = ("not", "doubt", "assent")
_Table = dict[str, dict[str, list[str]]]  # language -> key -> patterns


class BadWords(ValueError):
    """A file of words that cannot be used. `faults`: each with its line."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


@dataclass(frozen=True, slots=True)
class Language:
    """The patterns of one language, by meaning; `never` where it has none of a kind."""

    name: str
    by_meaning: dict[str, tuple[re.Pattern[str], ...]]
    negation: re.Pattern[str]
    doubt: re.Pattern[str]
    assent: re.Pattern[str]


@dataclass(frozen=True, slots=True)
class Words:
    """Everything that answers are read by."""

    languages: tuple[Language, ...]
    stops: tuple[opt_out.StopWords, ...]


@lru_cache(maxsize=1)
def shipped() -> Words:
    """The words that come with the product."""
    return build(_shipped_table())


def extended(source: str) -> Words:
    """The shipped words and those of an operator's file. Raises BadWords."""
    added, table = check(source), _shipped_table()
    for language, entry in added.items():
        for key, patterns in entry.items():
            table.setdefault(language, {}).setdefault(key, []).extend(patterns)
    return build(table)


def check(source: str) -> _Table:
    """An operator's file as patterns, by language and key. Raises BadWords with every fault."""
    try:
        raw = tomllib.loads(source)
    except tomllib.TOMLDecodeError as error:
        raise BadWords([str(error)]) from None
    faults = sorted(_faults(raw, source.splitlines()))
    if faults:
        raise BadWords([f"line {line}: {what}" for line, what in faults])
    return {
        language: {key: _listed(value) for key, value in entry.items()}
        for language, entry in raw.items()
    }


def build(table: _Table) -> Words:
    """Compile checked patterns."""
    languages = []
    stops = []
    for name, entry in table.items():
        by_meaning = {
            kind: tuple(re.compile(one, re.MULTILINE) for one in entry.get(kind, ()))
            for kind in ("no", "not_now", "interested", "wrong_person")
        }
        marks = [_any(entry.get(mark, [])) for mark in MARKS]
        languages.append(Language(name, by_meaning, *marks))
        stops.append(opt_out.made(name, *(entry.get(k, []) for k in ("alone", "stop", "not_stop"))))
    return Words(tuple(languages), tuple(stops))


def _any(patterns: list[str]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{one})" for one in patterns) if patterns else r"(?!)")


def _shipped_table() -> _Table:
    table: _Table = {}
    for name in ("meaning", "stop"):
        source = files("orchestrator.rules").joinpath(f"data/{name}.toml").read_text("utf-8")
        for language, entry in tomllib.loads(source).items():
            made = {key: _listed(value) for key, value in entry.items()}
            table.setdefault(language, {}).update(made)
    return table


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def _faults(raw: dict[str, object], lines: list[str]) -> Iterator[tuple[int, str]]:
    for language, entry in raw.items():
        head = _line(
            lines, rf"^\s*\[\s*\"?{re.escape(language)}\"?\s*\]|^\s*{re.escape(language)}\b"
        )
        if not isinstance(entry, dict):
            yield head, f"`{language}` is no language's table: write [{language}] above its words"
            continue
        for key, value in entry.items():
            at = _line(lines, rf"^\s*\"?{re.escape(key)}\"?\s*=", head)
            if key not in (*KINDS, *MARKS):
                yield at, f"`{key}` is unknown; there are {', '.join((*KINDS, *MARKS))}"
            elif not isinstance(value, str | list) or not all(isinstance(v, str) for v in value):
                yield at, f"`{key}` must be a list of patterns in quotes"
            else:
                yield from _bad_patterns(_listed(value), lines, at)


_CAPITALS = re.compile(
    r"\\.|\(\?P[<=>]\w+"
)  # those of `\S` and `(?P<Name>` are no letters of a text


def _bad_patterns(patterns: list[str], lines: list[str], at: int) -> Iterator[tuple[int, str]]:
    for pattern in patterns:
        quoted = (f"'{pattern}'", f'"{pattern}"')
        place = next(
            (n for n, line in enumerate(lines[at - 1 :], at) if any(q in line for q in quoted)), at
        )
        try:
            if re.compile(pattern).search(""):
                yield place, f"`{pattern}` fits every text"
            elif _CAPITALS.sub("", pattern) != _CAPITALS.sub("", pattern).lower():
                yield place, f"`{pattern}` has a capital letter: answers are read in small ones"
        except re.error as error:
            yield place, f"`{pattern}` is no regular expression: {error}"


def _line(lines: list[str], pattern: str, start: int = 1) -> int:
    found = re.compile(pattern)
    return next((at for at, line in enumerate(lines[start - 1 :], start) if found.search(line)), 1)
