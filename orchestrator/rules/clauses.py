"""Sentences as the classes of their words, whatever the language, and however they are typed.

The classes are data (`data/stop_grammar.toml`). A word of seven letters or more that is one slip of
the finger away from a word of a class counts as that word, unless the data says that it is another;
of five, where two letters changed places.
"""

import re
import tomllib
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

_TOKEN = re.compile(r"[\w'§-]+|,")
_END = re.compile(r"(?<!\bart)(?<!\bart )[.!?;:\n\u2026]+|\s[-\u2013\u2014]+\s|[()]")
_DIGRAPHS = re.compile(r"(?<=\w)[aou]e|aa|oe|ae")
_RUN = re.compile(r"(\w)\1{2,}")
_DOUBLE = re.compile(r"([^\W\d])\1")
_TYPED = ("leave", "remove", "touch", "post", "holder", "cease", "withdraw", "bare")  # with slips
_LONG = 7  # letters: with 5, one word in forty of the corpora was one slip from a word of a class
_SWAPPED = 5  # letters, where two of them changed places
_WORDS = 60  # of a sentence: what belongs together stands nearer, and the work grows by the square
_NEVER: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence: its text, its place, the words of it, and the classes of each word and of all."""

    text: str
    start: int
    words: tuple[str, ...]
    tags: tuple[frozenset[str], ...]
    asks: bool
    all: frozenset[str]

    def at(self, *classes: str) -> Iterator[int]:
        """Where a word of one of these classes stands."""
        if self.all.isdisjoint(classes):
            return iter(())
        wanted = frozenset(classes)
        return (at for at, tags in enumerate(self.tags) if tags & wanted)

    def has(self, *classes: str) -> bool:
        """Whether a word of one of these classes is in it."""
        return not self.all.isdisjoint(classes)

    def near(self, at: int, before: int, after: int, *classes: str) -> bool:
        """Whether such a word stands at most so many words before or behind, in the same clause."""
        wanted = frozenset(classes)
        for step, reach in ((-1, before), (1, after)):
            for there in range(at + step, at + step * (reach + 1), step):
                if not 0 <= there < len(self.tags) or self.words[there] == ",":
                    break
                if self.tags[there] & wanted:
                    return True
        return False


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Words by class: whole, by their beginning, of several words, and one slip away."""

    exact: dict[str, frozenset[str]]
    begins: tuple[tuple[str, str], ...]
    phrases: dict[str, tuple[tuple[tuple[str, ...], str], ...]]
    slips: dict[str, frozenset[str]]
    other: frozenset[str]


def key(word: str) -> str:
    """A word as it is compared: accents off, digraphs and doubled letters made one."""
    short = _RUN.sub(r"\1", word.strip("-'"))
    short = _DIGRAPHS.sub(lambda hit: hit[0][0], short) if len(short) > 3 else short
    return _DOUBLE.sub(r"\1", short) if len(short) > 4 else short


def sentences(text: str, lexicon: Lexicon) -> Iterator[Sentence]:
    """The sentences of folded text, with the classes of their words; an endless one in pieces."""
    known: dict[str, frozenset[str]] = {}  # the classes of a word, as often as it comes
    for start, stop, asks in _spans(text):
        hits = list(_TOKEN.finditer(_bare(text[start:stop])))
        for first in range(0, len(hits), _WORDS):
            piece = hits[first : first + _WORDS]
            behind = hits[first + _WORDS].start() if first + _WORDS < len(hits) else stop - start
            begun = start + (piece[0].start() if first else 0)
            words = tuple(key(hit[0]) for hit in piece)
            said = text[begun : start + behind]
            tags = _tags(words, lexicon, known)
            yield Sentence(said, begun, words, tags, asks, frozenset[str]().union(*tags))


def _spans(text: str) -> Iterator[tuple[int, int, bool]]:
    """Where each sentence begins and ends, and whether it asks."""
    start = 0
    for hit in _END.finditer(text):
        yield start, hit.start(), "?" in hit[0]
        start = hit.end()
    yield start, len(text), False


def _bare(text: str) -> str:
    """Without emoji and other signs: they end no sentence and are no word."""
    if text.isascii():
        return text.replace("^", " ").replace("`", " ")
    return "".join(map(_letter, text))


@lru_cache(maxsize=4096)
def _letter(one: str) -> str:
    return " " if unicodedata.category(one) in ("So", "Sk", "Mn") else one


def _tags(
    words: tuple[str, ...], lexicon: Lexicon, known: dict[str, frozenset[str]]
) -> tuple[frozenset[str], ...]:
    known.update({word: _classes(word, lexicon) for word in set(words) - known.keys()})
    found = [set(known[word]) for word in words]
    for at, word in enumerate(words):
        for phrase, name in lexicon.phrases.get(word, ()):
            if words[at : at + len(phrase)] == phrase:
                for there in range(at, at + len(phrase)):
                    found[there].add("part")
                found[at].add(name)
                if name in ("filler", "bare"):
                    for there in range(at, at + len(phrase)):
                        found[there].add(name)
    return tuple(frozenset(one) for one in found)


def _classes(word: str, lexicon: Lexicon) -> frozenset[str]:
    known = lexicon.exact.get(word, _NEVER)
    begun = frozenset(name for start, name in lexicon.begins if word.startswith(start))
    if known or begun or len(word) < _SWAPPED or word in lexicon.other:
        return known | begun
    near = _shorter(word) if len(word) >= _LONG - 1 else (word,)
    return frozenset[str]().union(*(lexicon.slips.get(one, _NEVER) for one in near))


def _swapped(word: str) -> Iterator[str]:
    return (word[:at] + word[at + 1] + word[at] + word[at + 2 :] for at in range(len(word) - 1))


def _shorter(word: str) -> Iterable[str]:
    """The word, and the word without one of its letters but the first: words that share one of
    these are a letter more, less, other or swapped apart."""
    return {word, *(word[:at] + word[at + 1 :] for at in range(1, len(word)))}


@lru_cache(maxsize=1)
def shipped() -> Lexicon:
    """The words that come with the product."""
    source = files("orchestrator.rules").joinpath("data/stop_grammar.toml").read_text("utf-8")
    return made(tomllib.loads(source))


def made(table: dict[str, dict[str, list[str]]]) -> Lexicon:
    """A lexicon of language -> class -> words."""
    exact: dict[str, set[str]] = {}
    slips: dict[str, set[str]] = {}
    phrases: dict[str, list[tuple[tuple[str, ...], str]]] = {}
    begins: list[tuple[str, str]] = []
    other: set[str] = set()
    for name, word in ((n, w) for entry in table.values() for n, ws in entry.items() for w in ws):
        parts = tuple(key(one) for one in word.removesuffix("*").split())
        if name == "not_typos":
            other.add(parts[0])
        elif word.endswith("*"):
            begins.append((parts[0], name))
        elif len(parts) > 1:
            phrases.setdefault(parts[0], []).append((parts, name))
        else:
            exact.setdefault(parts[0], set()).add(name)
            if name in _TYPED and len(parts[0]) >= _SWAPPED:
                long = len(parts[0]) >= _LONG - (name == "leave")
                for short in _shorter(parts[0]) if long else _swapped(parts[0]):
                    slips.setdefault(short, set()).add(name)
    return Lexicon(
        {word: frozenset(names) for word, names in exact.items()},
        tuple(begins),
        {word: tuple(ones) for word, ones in phrases.items()},
        {word: frozenset(names) for word, names in slips.items()},
        frozenset(other),
    )
