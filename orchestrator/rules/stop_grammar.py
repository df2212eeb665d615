"""How wishes to stop are made of words: a ceasing verb and what they do, a denied verb of contact,
a removal of us, a wish denied, a right exercised. `stop_guards` takes out what only looks so.
"""

from collections.abc import Callable
from itertools import pairwise

from orchestrator.rules.clauses import Lexicon, Sentence, sentences
from orchestrator.rules.stop_claims import CLAIMS
from orchestrator.rules.stop_guards import DOING, denied, timed

_SHORT = 6  # words of an answer that is nothing but the wish


def wishes(text: str, lexicon: Lexicon) -> tuple[str, ...]:
    """The compositions in folded text that say stop."""
    # What is said twice says no more.
    distinct = {(one.words, one.asks): one for one in sentences(text, lexicon) if one.all}
    found = [
        name
        for one in distinct.values()
        if not one.near(0, 0, 2, "third")
        for name, says in _RULES
        if says(one)
    ]
    return tuple(dict.fromkeys(found))


def hints(text: str, lexicon: Lexicon) -> bool:
    """Whether anything in the text could be part of a wish to stop, meant or not."""
    return any(_hints(one) for one in sentences(text, lexicon))


def _hints(one: Sentence) -> bool:
    return (
        any(says(one) for _, says in _RULES)
        or one.has("leave", "plea", "illegal")
        or any(at < 2 for at in one.at("cease"))
        or (one.has("cease") and one.has("me", "you", *DOING))
        or any(one.near(at, 4, 4, "me") for at in one.at("remove"))
    )


# --- what says stop


def _bare(one: Sentence) -> bool:
    said = [tags for word, tags in zip(one.words, one.tags, strict=True) if word != ","]
    if len(said) <= _SHORT and any(one.near(at, 0, 1, "again") for at in one.at("deny", "none")):
        return not one.asks and all(tags & {"filler", "deny", "none", "again"} for tags in said)
    whole = all(tags & {"filler", "bare", "cease"} for tags in said)
    return whole and one.has("bare", "cease") and len(said) <= _SHORT and not one.asks


def _lone_verb(one: Sentence) -> bool:
    """A clause that is only the verb: "wrong list, remove", "please stop, I said no"."""
    commas = [-1, *(at for at, word in enumerate(one.words) if word == ","), len(one.words)]
    clauses = [one.tags[a + 1 : b] for a, b in pairwise(commas)]
    return (
        len(clauses) > 1
        and not one.asks
        and any(
            0 < len(clause) <= 3
            and all(tags & {"filler", "bare"} for tags in clause)
            and any("bare" in tags and tags & {"remove", "leave", "cease"} for tags in clause)
            for clause in (clauses[0], clauses[-1])
        )
    )


def _off_lists(one: Sentence) -> bool:
    """Not to be on any list: wished, or for them to see to."""
    return (
        not one.has("elsewhere", "miss", "third")
        and any(
            one.near(at, 6, 6, "you", "this", "none", "deny")
            and one.near(at, 8, 4, "deny", "none")
            and any(there < at + 3 for there in one.at("ensure"))
            and one.has("i", "me")
            for at in one.at("lists")
        )
        and not one.has("cease", "remove")
    )


def _leave(one: Sentence) -> bool:
    ended = one.at("cease", "withdraw")
    if any(one.near(at, 0, 3, "subscription") and not denied(one, at) for at in ended):
        return one.has("own") or len(one.words) <= _SHORT
    return any(
        not denied(one, at)
        and not one.near(at, 4, 0, "third", "done")
        and (one.near(at, 4, 3, "me", "i") or (len(one.words) <= _SHORT and not one.asks))
        for at in one.at("leave")
    )


def _cease(one: Sentence) -> bool:
    for at in one.at("cease"):
        if denied(one, at) or one.near(at, 4, 0, "third") or one.words[at - 1 : at] == ("til",):
            continue
        if one.near(at, 6, 6, "get") and one.near(at, 4, 8, *DOING):
            return True
        if not _theirs(one, at) and one.near(at, 5, 6, *DOING):
            return not one.has("elsewhere") or one.has("me")
    return False


def _theirs(one: Sentence, at: int) -> bool:
    """Whether it is the writers themselves who do it: "we stop sending", but not "kan I stoppe"."""
    for there in range(at - 1, max(at - 5, -1), -1):
        if "you" in one.tags[there] or one.words[there] == ",":
            return False
        if "i" in one.tags[there]:
            return not (there and one.tags[there - 1] & {"modal", "if"})
    return False


def _not_again(one: Sentence) -> bool:
    if timed(one) or one.has("why"):
        return False
    for at in one.at("deny"):
        if one.near(at, 3, 0, "i", "third") or one.near(at, 1, 0, "done"):
            continue
        if one.near(at, 2, 3, "hesitate"):
            continue
        if one.near(at, 0, 1, "touch") and one.near(at, 0, 3, "touch") and _ends(one, at + 2):
            return not one.has("elsewhere", "call")
        for verb in one.at("touch"):
            if abs(verb - at) <= 4 and "," not in one.words[min(at, verb) : max(at, verb)]:
                sent = "send" in one.tags[verb]
                if one.near(verb, 4, 5, "again"):
                    return not one.has("elsewhere")
                if one.near(verb, 2, 3, *(("post",) if sent else ("me",))):
                    return not one.has("elsewhere")
    return False


def _ends(one: Sentence, at: int) -> bool:
    """Whether a clause ends at that word, or a phrase that began before it does."""
    return all("part" in tags for tags in one.tags[at : at + 1]) and (
        at + 1 >= len(one.words) or one.words[at + 1] == ","
    )


def _no_more(one: Sentence) -> bool:
    for at in one.at("none", "deny"):
        if timed(one) or one.near(at, 4, 0, "i", "third", "done") or one.has("miss"):
            continue
        if one.near(at, 0, 3, "again") and one.near(at, 0, 5, "post"):
            return True
        if "none" in one.tags[at] and one.near(at, 0, 2, "post") and one.near(at, 0, 4, "again"):
            return True
    return False


def _no_wish(one: Sentence) -> bool:
    if timed(one) or one.has("miss", "cease", "remove", "leave", "hesitate"):
        return False
    for at in one.at("deny", "none"):
        for want in one.at("wish"):
            if abs(want - at) > 4 or one.near(min(at, want), 4, 0, "third"):
                continue
            if one.near(at, 1, 0, "done"):
                continue
            if one.near(want, 4, 4, "get") and one.near(want, 4, 8, "this"):
                return len(one.words) <= _SHORT + 2 and not one.has("elsewhere")
            if one.near(at, 0, 3, "get") and one.near(at, 0, 6, "you") and one.has("again"):
                return not one.has("elsewhere")
            asked = one.near(want, 4, 8, "you", "this", "again", "get")
            if one.near(want, 3, 9, "post") and asked:
                return not one.has("elsewhere")
            if one.near(want, 2, 9, "touch") and one.near(want, 3, 9, "me", "again", "you"):
                return one.near(want, 2, 9, "again") or not one.near(want, 2, 9, "send")
    return False


def _no_need(one: Sentence) -> bool:
    return any(
        one.near(at, 4, 4, "need") and one.near(at, 6, 8, "touch") and one.near(at, 6, 9, "again")
        for at in one.at("deny", "none")
        if not timed(one) and not one.near(at, 6, 9, "send", "elsewhere")
    )


def _free(one: Sentence) -> bool:
    return any(
        not denied(one, at)
        and one.near(at, 5, 7, "post", "touch")
        and one.near(at, 5, 7, "you", "this", "again", "get")
        and not one.near(at, 0, 6, "send", "miss")
        for at in one.at("free")
    )


def _remove(one: Sentence) -> bool:
    for at in one.at("remove"):
        if denied(one, at) or one.near(at, 4, 0, "third") or one.has("elsewhere"):
            continue
        for mine in one.at("me"):
            if not -5 <= mine - at <= 3 or "," in one.words[min(at, mine) : max(at, mine)]:
                continue
            if "own" not in one.tags[mine] or one.near(mine, 1, 3, "holder"):
                return True
        if one.near(at, 0, 2, "everything") and one.near(at, 0, 5, "you"):
            return True
        if one.near(at, 0, 2, "this") and one.near(at, 0, 4, "holder"):
            return True
    return False


def _taken_off(one: Sentence) -> bool:
    for at in one.at("take"):
        if denied(one, at) or one.has("elsewhere") or not one.near(at, 3, 3, "me", "i"):
            continue
        for off in one.at("off"):
            loose = one.words[off] in ("from", "of") and (
                one.words[at] == "get" or not one.near(off, 0, 1, "you", "this")
            )
            if at < off <= at + 6 and not loose and one.near(off, 0, 4, "holder"):
                return True
    return False


_RULES: tuple[tuple[str, Callable[[Sentence], bool]], ...] = (
    ("nothing but stop", _bare),
    ("nothing but the verb", _lone_verb),
    ("deny + on a list", _off_lists),
    *CLAIMS,
    ("leave", _leave),
    ("cease + contact", _cease),
    ("deny + contact + again", _not_again),
    ("no more + mail", _no_more),
    ("deny + wish + contact", _no_wish),
    ("no need + contact + again", _no_need),
    ("be free of + mail", _free),
    ("remove + us", _remove),
    ("take us off + list", _taken_off),
)
