"""Wishes to stop that claim something: a right, a complaint, that nobody asked, or enough of it."""

from collections.abc import Callable

from orchestrator.rules.clauses import Sentence
from orchestrator.rules.stop_guards import DOING, timed

_SHORT = 8  # words: "I am done with these mails" in a longer sentence is something else


def _finished(one: Sentence) -> bool:
    return len(one.words) <= _SHORT and any(
        one.near(at, 0, 4, "post") and one.words[at + 1] in ("with", "med", "mit")
        for at in one.at("finished")
        if at + 1 < len(one.words) and not one.near(at, 3, 0, "deny")
    )


def _never_asked(one: Sentence) -> bool:
    return not timed(one) and any(
        one.near(at, 4, 0, "deny", "none")
        and one.near(at, 6, 0, "i")
        and one.near(at, 5, 5, "this", "you", "post")
        for at in one.at("asked")
        if not one.has("elsewhere", "third", "why")
    )


def _law(one: Sentence) -> bool:
    if one.has("third") or (one.asks and not one.has("me")):
        return False
    denied = [at for at in one.at("deny", "none") if not one.near(at, 2, 0, "third")]
    if any(one.near(at, 6, 4, "consent") and one.has("you") and one.has("own") for at in denied):
        return True
    if any(one.near(at, 2, 4, "use") and one.near(at, 5, 6, "own", "this") for at in denied):
        return any(one.near(at, 3, 0, "own", "this") for at in one.at("holder"))
    return one.has("law") and any(
        one.has("me", "i") and not one.near(at, 3, 0, "deny", "none") for at in one.at("withdraw")
    )


def _threat(one: Sentence) -> bool:
    for at in one.at("threat", "report"):
        if one.near(at, 3, 0, "deny"):
            continue
        if one.has("illegal") or ("report" in one.tags[at] and one.near(at, 0, 1, "you")):
            return True
        ahead = [there for there in one.at("next") if there < at]
        if "threat" in one.tags[at] and ahead and one.has(*DOING):
            return True
    return False


def _plea(one: Sentence) -> bool:
    last = len(one.words) - 2
    return any(not one.near(at, 3, 0, "deny", "third") for at in one.at("plea")) or any(
        at >= last and not one.near(at, 3, 0, "i", "deny") for at in one.at("give")
    )


CLAIMS: tuple[tuple[str, Callable[[Sentence], bool]], ...] = (
    ("finished + with mail", _finished),
    ("never asked", _never_asked),
    ("law + objection", _law),
    ("threat", _threat),
    ("plea", _plea),
)
