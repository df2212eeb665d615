"""What an automatic reply says about the person: when they are back, or that they have left."""

import re
import tomllib
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from importlib.resources import files

from orchestrator.rules.mail.parts import ADDRESS
from orchestrator.rules.mentions import Mention, fold, mentions

_LIMIT = 6000  # characters: an absence notice is shorter
_LONGEST = timedelta(days=800)  # an absence
_END = re.compile(r"\n\s*\n|[!?;]|(?<=[^\W\d]{3})\.(?=\s)")  # of a sentence; not of `12. august`
_ARTICLE = (
    r"(?:,? ?(?:and including|including|the|on|den|dem|der|d\.|le|el|il|dia|dnia|o|"
    r"zum|einschließlich|inkl\.|next|neste|nästa|næste))*"
)


@dataclass(frozen=True, slots=True)
class Absence:
    """`returns`: the first day back, or the day after the last day away. `gone`: no longer with
    the company. `instead`: the addresses that are named to write to."""

    returns: date | None = None
    gone: bool = False
    instead: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Cues:
    back: re.Pattern[str]
    until: re.Pattern[str]
    through: re.Pattern[str]
    until_behind: re.Pattern[str]
    begins: re.Pattern[str]
    not_before: re.Pattern[str]
    gone: re.Pattern[str]
    ask: re.Pattern[str]
    away: re.Pattern[str]


@lru_cache(maxsize=1)
def _cues() -> _Cues:
    source = files("orchestrator.rules").joinpath("data/absence.toml").read_text("utf-8")
    tongues = tomllib.loads(source).values()

    def any_of(name: str) -> str:
        return "|".join(sorted((one for t in tongues for one in t[name]), key=len, reverse=True))

    def right_before(name: str) -> re.Pattern[str]:
        return re.compile(rf"(?:^|[\s(:,-])(?:{any_of(name)}){_ARTICLE}[\s:(]*$")

    return _Cues(
        back=re.compile(any_of("back")),
        until=right_before("until"),
        through=right_before("through"),
        until_behind=re.compile(rf"^ ?(?:{any_of('until_behind')})"),
        begins=right_before("from"),
        not_before=right_before("not_before"),
        gone=re.compile(any_of("gone")),
        ask=re.compile(any_of("ask")),
        away=re.compile(any_of("away")),
    )


def read(text: str, *, today: date) -> Absence:
    """Read an automatic reply's text, in any of fourteen languages; `today` is its Date.

    Of several days back the last is meant: nobody is bothered while away. A day that lies years
    ahead is a slip, and counts as none.
    """
    plain = text[:_LIMIT].replace("\r\n", "\n")
    folded = fold(plain)
    told = _days(folded, today)
    back = [day for day, strong in told if strong]
    days = back or [day for day, _ in told]
    returns = max((day for day in days if day - today <= _LONGEST), default=None)
    # "Anna has left us; I am back on Monday" is about a colleague.
    gone = bool(_cues().gone.search(folded.replace("\n", " "))) and not back
    return Absence(returns, gone, _instead(plain, gone))


def _days(text: str, today: date) -> list[tuple[date, bool]]:
    """The days of return that the text states, and whether it says so in words of coming back."""
    found = mentions(text, today)
    made: list[tuple[date, bool]] = []
    for at, one in enumerate(found):
        start = found[at - 1].end if at else 0
        stop = found[at + 1].start if at + 1 < len(found) else len(text)
        # Never from the beginning of the text: a notice of 1,000 dates took half a second.
        near = max(0, one.start - 300)
        before = _END.split(text[max(start, near) : one.start])[-1].replace("\n", " ")[-120:]
        behind = _END.split(text[one.end : min(stop, one.end + 150)])[0].replace("\n", " ")[:70]
        sentence = _END.split(text[near : one.start])[-1].replace("\n", " ")[-200:] + behind
        if (day := _returns(one, before, behind, sentence)) is not None:
            made.append(day)
    return made


def _returns(one: Mention, before: str, behind: str, sentence: str) -> tuple[date, bool] | None:
    cues = _cues()
    over = one.last + timedelta(days=1)
    if cues.not_before.search(before):
        return one.first, True
    if one.ranged or (one.kind == "week" and cues.away.search(sentence)):
        return (one.first, True) if _backs(before) and not one.ranged else (over, False)
    through = cues.through.search(before)
    if through or cues.until_behind.search(behind):
        return over, False
    if cues.until.search(before) and not re.search(
        r"(?:tilbake|tilbage|tillbaka) til\w* ?$", before
    ):
        waits = one.kind in ("week", "month")  # "until week 34": it is back then
        return (one.first if waits else over), False
    if _backs(before) or (_backs(behind) and not _elsewhere(behind)):
        return one.first, True
    if cues.begins.search(before):
        return None
    if cues.away.search(sentence) and one.kind in ("day", "near"):
        return over, False
    return None


def _backs(words: str) -> bool:
    return bool(_cues().back.search(words))


def _elsewhere(behind: str) -> bool:
    """Whether the words behind a date begin something new: `from Monday, and return ...`."""
    return bool(re.match(r"\s*(?:and|og|och|und|et|y|e|en|i|ja|to|til|till|until|bis)\b", behind))


def _instead(text: str, gone: bool) -> tuple[str, ...]:
    """Addresses behind words of contact, in the same paragraph; of somebody gone, all."""
    folded = text.casefold()
    found = []
    for hit in ADDRESS.finditer(text):
        before = re.split(r"\n\s*\n", folded[: hit.start()])[-1][-200:]
        if gone or _cues().ask.search(before):
            found.append(hit[0].rstrip(".").lower())
    return tuple(dict.fromkeys(found))
