"""Whether somebody wants no more mail, by their own words: it wins over all else they say."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from orchestrator.rules import clauses, stop_grammar, stop_guards

_FIRST, _LAST = 3000, 1500  # characters: a wish to stop begins a letter, or ends it
_SENTENCE = re.compile(r"[.!?;]+(?: |$)")
_LETTERS = str.maketrans({"ø": "o", "æ": "ae", "ł": "l", "\u2019": "'", "\u2018": "'", "´": "'"})


@dataclass(frozen=True, slots=True)
class StopWords:
    """The patterns of one language: the whole answer, a part of it, and what only looks so."""

    language: str
    alone: tuple[re.Pattern[str], ...]
    stop: tuple[re.Pattern[str], ...]
    not_stop: tuple[re.Pattern[str], ...]


def plain(text: str) -> str:
    """Folded letters without accents, as the patterns are written and people on phones type."""
    folded = text.casefold().translate(_LETTERS)
    apart = unicodedata.normalize("NFKD", folded)
    return "".join(letter for letter in apart if not unicodedata.combining(letter))


def made(
    language: str, alone: Iterable[str], stop: Iterable[str], not_stop: Iterable[str]
) -> StopWords:
    """The words of one language, ready for use. Raises re.error."""

    def compiled(patterns: Iterable[str]) -> tuple[re.Pattern[str], ...]:
        return tuple(re.compile(plain(one)) for one in patterns)

    return StopWords(language, compiled(alone), compiled(stop), compiled(not_stop))


def signs(text: str, words: Iterable[StopWords]) -> tuple[str, ...]:
    """The rules that say stop; none when nothing does. `text` is the person's alone."""
    words = tuple(words)
    flat = plain(_ends(text))
    lines = [" ".join(line.split()) for line in flat.splitlines()]
    whole = " ".join(line for line in lines if line)
    sentences = [one for line in (whole, *lines) for one in _SENTENCE.split(line)]
    alone = {one.strip(" .!,;:-*\"'()") for one in (whole, *lines, *sentences)}
    found = [
        f"{one.language} alone {number}"
        for one in words
        for number, pattern in enumerate(one.alone, 1)
        if any(said and pattern.fullmatch(said) for said in alone)
    ]
    whole = stop_guards.without_guarded(whole, clauses.shipped())
    composed = stop_grammar.wishes(whole, clauses.shipped())
    for one in words:
        for pattern in one.not_stop:
            whole = pattern.sub(" ~ ", whole)
    if "leave" in composed and "leave" not in stop_grammar.wishes(whole, clauses.shipped()):
        composed = tuple(one for one in composed if one != "leave")  # "our unsubscribe page"
    return (
        *found,
        *composed,
        *(
            f"{one.language} stop {number}"
            for one in words
            for number, pattern in enumerate(one.stop, 1)
            if pattern.search(whole)
        ),
    )


def hints(text: str) -> bool:
    """Whether anything in it could be part of a wish to stop: then it is no interest either."""
    return stop_grammar.hints(plain(_ends(text)), clauses.shipped())


def _ends(text: str) -> str:
    """The whole of a letter, or of a long one its beginning and its end."""
    return text if len(text) <= _FIRST + _LAST else f"{text[:_FIRST]}\n{text[-_LAST:]}"
