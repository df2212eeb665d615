"""The lines by which mail programs set apart what they quote, in many languages."""

import re
import tomllib
from functools import cached_property, lru_cache
from importlib.resources import files
from typing import NamedTuple

_QUOTED = re.compile(r"\s*(?:[A-ZÆØÅÄÖ]{0,3}>|&gt;)")
_BARRED = re.compile(r"\s*\|")
# Its first digit comes first in the pattern: where there is none, nothing else is tried.
_DATE = re.compile(
    r"\d(?:(?<!\w\d)(?:(?:(?<=1)9|(?<=2)0)\d\d\b|\d?[:.h]\d\d\b|\d?[./-] ?\d{1,2}[./-]"
    r"|\d?\.? [^\W\d]{3,})|(?<=2)0\d\d年)"
)
_ADDRESS = re.compile(r"(?<![^\s@<>\"])[^\s@<>\"]++@[^\s@<>\"]+")
_ABOVE = re.compile(
    r"\b(?:reply|write|respond|type|text|svar\w*|skriv|antwort\w*|répon\w+)\b.{0,40}"
    r"\b(?:above|over|ovenfor|ovanför|oberhalb|au-dessus|ci-dessus)\b.{0,25}"
    r"\b(?:lines?|linjen?|linien?|zeile|ligne)\b"
)
_NAMED = re.compile(r"[^.!?]{0,60}<?[^\s@<>]+@[^\s@<>]+>?,?")
_LONGEST = 420  # characters of an attribution


class Marks(NamedTuple):
    """The patterns of `rules/data/quotes.toml`."""

    wrote: re.Pattern[str]
    on: re.Pattern[str]
    fields: tuple[re.Pattern[str], ...]  # from, sent, to, subject
    original: re.Pattern[str]
    mail: re.Pattern[str]
    signed: re.Pattern[str]
    closing: re.Pattern[str]
    disclaimer: re.Pattern[str]


@lru_cache(maxsize=1)
def marks() -> Marks:
    """The patterns, read once."""
    source = files("orchestrator.rules").joinpath("data/quotes.toml").read_text("utf-8")
    words: dict[str, list[str]] = tomllib.loads(source)

    def any_of(name: str) -> str:
        return "(?:" + "|".join(sorted(words[name], key=len, reverse=True)) + ")"

    edge = r"(?<![^\W_])(?=\w)"  # the beginning of a word; \b knows none in Chinese
    return Marks(
        wrote=re.compile(rf"(?:{edge}{any_of('wrote')}(?![^\W_])|写道|寫道|書きました|작성)"),
        on=re.compile(rf"{any_of('on')}[.,]? ?(?=.{{0,40}}\d)"),
        fields=tuple(
            re.compile(rf"[\s>*_]*{any_of(name)}[*_ ]{{0,3}}[:：][*_ ]{{0,3}}(?P<value>.*)")
            for name in ("from", "sent", "to", "subject")
        ),
        original=re.compile(any_of("original")),
        mail=re.compile(any_of("mail")),
        signed=re.compile(rf"[\s<(*_-]*{any_of('signed')}[\s>).!*_]*"),
        closing=re.compile(rf"[\s*_]*{any_of('closing')}[\s,.!*_:)]*"),
        disclaimer=re.compile(rf"[\s*_\[(-]*{any_of('disclaimer')}"),
    )


def fold(line: str) -> str:
    """A line as the patterns read it."""
    return " ".join(line.casefold().replace("\u2019", "'").split())


def is_quoted(lines: list[str], at: int) -> bool:
    """Whether the line is marked as a quote: `>`, initials before it, or a row of bars."""
    if _QUOTED.match(lines[at]):
        return True
    if not _BARRED.match(lines[at]):
        return False
    return any(0 <= near < len(lines) and _BARRED.match(lines[near]) for near in (at - 1, at + 1))


def separates(lines: list[str], at: int) -> bool:
    """Whether everything from this line on is quoted: `--- Original Message ---` or headers."""
    line = fold(lines[at])
    if len(line) < 160 and _ABOVE.search(line):
        return True
    if 8 < len(line) < 90:
        named = marks().original.search(line) and marks().mail.search(line)
        ruled = re.match(r"[\s>*]*[-_=]{2,}.*[-_=]{2,}\*?$", line)
        if named and (ruled or (line.endswith(":") and line.count(" ") < 6)):
            return True
    return _runs_on(line) or _heads(lines, at)


def _runs_on(line: str) -> bool:
    """An attribution with the quote behind it on the same line: `Am ... schrieb X <x@y>: Hello`."""
    found = re.match(r"(?P<head>.{10,200}?@[^\s>]{1,100}>?\)?) ?: \S", line)
    return bool(
        found
        and marks().on.match(line)
        and marks().wrote.search(found["head"])
        and _DATE.search(found["head"])
    )


def _heads(lines: list[str], at: int) -> bool:
    """A block of header fields: From first, with one more; or any three, one with an address or a
    date. Fields run over lines, so that one strange line between them is let pass."""
    first = _field(lines[at])
    if first is None:
        return False
    kinds, strange, proof = {first}, 0, False
    for line in lines[at : at + 9]:
        kind = _field(line)
        if kind is not None:
            kinds.add(kind)
        elif line.strip():
            strange += 1
        if strange > 2:
            break
        near = line[:400]  # a line of 40,000 characters took four seconds
        proof = proof or bool(_ADDRESS.search(near) or _DATE.search(fold(near)))
    return len(kinds) >= (2 if first == 0 and proof else 3)


def _field(line: str) -> int | None:
    folded = fold(line)
    if len(folded) > 300 or not re.search("[:：]", folded[:40]):
        return None
    return next((at for at, one in enumerate(marks().fields) if one.match(folded)), None)


def is_field(line: str) -> bool:
    """Whether the line looks like a header field that a mail program wrote."""
    return _field(line) is not None


class _Line:
    """A line as it is folded, and what is in it: read once, though five windows lie over it."""

    def __init__(self, line: str) -> None:
        self.folded = fold(line[: 2 * _LONGEST])
        self.bare = self.folded.lstrip("> *_")
        self.blank = not line.strip()

    @cached_property
    def proof(self) -> tuple[bool, bool]:
        """Whether it has a date, and an address."""
        return bool(_DATE.search(self.bare)), bool(_ADDRESS.search(self.bare))


def attributions(lines: list[str]) -> dict[int, int]:
    """First line -> last line of each `On ... somebody wrote:`, which may run over several."""
    found: dict[int, int] = {}
    read = [_Line(line) for line in lines]
    for end, line in enumerate(read):
        folded = line.folded.rstrip(" >*_")
        if len(folded) > _LONGEST or not re.search(r"[:：\w)>.]$|<[^<>]*@[^<>]*$", folded):
            continue
        start = _start(lines, read, end)
        if start is not None:
            for other in [one for one, last in found.items() if last >= start]:
                del found[other]
            found[start] = end
    return found


def _start(lines: list[str], read: list[_Line], end: int) -> int | None:
    """Where the attribution that ends in this line begins: at the nearest line that begins like one
    and makes it whole, else at the nearest that makes it whole."""
    at, taken, whole = end, 0, None
    behind = _next(lines, end)
    while at >= 0 and taken < 5:
        window = [one for one in read[at : end + 1] if not one.blank]
        text = " ".join(one.bare for one in window)
        if len(text) > _LONGEST or (at == end and not _may_end(text)):
            break
        if not read[at].blank:
            if whole is not None and read[at].folded.endswith((".", "!", "?")):
                break
            taken += 1
            if _whole(text.rstrip(" >*_"), behind, window):
                whole = at if whole is None else whole
                if _begins(text):
                    return _extended(lines, at)
        elif not (read[at + 1].folded if at < end else "").startswith(("<", "mailto")):
            break
        at -= 1
    if whole is not None:
        return _extended(lines, whole)
    return end if _introduces(read[end].bare.rstrip(" >*_"), behind) else None


def _may_end(text: str) -> bool:
    """Whether an attribution may end with this line: in a colon, a verb, or an address."""
    return bool(
        re.search(r"[:：]$", text.rstrip(" >*_"))
        or marks().wrote.search(text)
        or re.search(r"@\S+>\s*$", text)
        or _ADDRESS.search(text)
    )


def _begins(text: str) -> bool:
    return bool(marks().on.match(text) or re.match(r"\d{1,4}[.年/-]? ?[\w.]", text))


def _marked(behind: str) -> bool:
    return bool(_QUOTED.match(behind) or _BARRED.match(behind))


def _whole(text: str, behind: str, window: list[_Line]) -> bool:
    """Whether this is an attribution. `behind`: the next line with anything in it, as it came."""
    dated = any(one.proof[0] for one in window)
    addressed = any(one.proof[1] for one in window)
    if not (dated or addressed):
        return False
    ends = bool(re.search(r"[:：]$", text))
    # It ends in a colon or in a verb: where it does neither, the rest is not looked through.
    verb = ends or marks().wrote.search(text, max(0, len(text) - 40))
    wrote = marks().wrote.search(text) if verb else None
    marked, begins = _marked(behind), _begins(text)
    if wrote and (ends or text.endswith(wrote[0]) or text.endswith("写道")):
        known = (addressed or dated) and (begins or addressed or marked)
        return known and len(text) - wrote.end() < 160
    if addressed and dated and re.search(r"\d{4}|\d[:.]\d\d", text):
        at_the_end = re.search(r"@[^\s@]+>?\)?\s*[:：]?$", text)
        return bool(at_the_end and (marked or (ends and begins)))
    return False


def _introduces(text: str, behind: str) -> bool:
    """Whether one line right above a marked quote says whose it is: `Kari writes:`, `Quoting ...:`,
    a name with a time or an address."""
    if not _marked(behind) or len(text) > 160:
        return False
    wrote = bool(marks().wrote.search(text))
    timed = bool(_DATE.search(text) and re.search(r"\d[:.]\d\d", text))
    addressed = bool(_ADDRESS.search(text))
    return (text.endswith((":", "：")) and (wrote or timed or addressed)) or (wrote and addressed)


def _next(lines: list[str], at: int) -> str:
    return next((line for line in lines[at + 1 : at + 5] if line.strip()), "")


def _extended(lines: list[str], at: int) -> int:
    """Lines before belong to it, too, which name the writer or the day and nothing else."""
    while at and lines[at - 1].strip():
        before = fold(lines[at - 1]).lstrip("> *_")
        named = len(before) < 200 and _NAMED.fullmatch(before)
        dated = marks().on.match(before) and _DATE.search(before) and len(before) < 90
        complete = marks().on.match(fold(lines[at]).lstrip("> *_")) and _DATE.search(lines[at])
        if complete or not (named or dated):
            return at
        at -= 1
    return at
