"""What takes a wish to stop back: a denial, a time, and sentences of the same words that are
somebody else's wish, an old one, one that is only supposed, or one about another channel.
"""

import re

from orchestrator.rules.clauses import Lexicon, Sentence, sentences

_QUOTED = re.compile(
    r"(?<!\w)(['\"\u00ab\u201c\u201e])([^'\"\u00ab\u00bb\u201c\u201d\u201e]{3,90})['\"\u00bb\u201d\u201c](?!\w)"
)
DOING = ("touch", "post")  # what they do to us


def without_guarded(text: str, lexicon: Lexicon) -> str:
    """Folded text without the sentences whose words are no wish of theirs."""
    guarded: dict[tuple[tuple[str, ...], bool], bool] = {}  # what is said twice is judged once
    for one in sentences(text, lexicon):
        if not one.all:
            continue
        kept, said = one.text, (one.words, one.asks)
        if one.has("say"):
            kept = _QUOTED.sub(lambda hit: "~".ljust(len(hit[0])), kept)
        if said not in guarded:
            guarded[said] = any(guard(one) for guard in _GUARDS)
        if guarded[said]:
            kept = "~".ljust(len(kept))
        if kept is not one.text:
            text = text[: one.start] + kept + text[one.start + len(one.text) :]
    return text


def denied(one: Sentence, at: int) -> bool:
    """Whether the verb is denied: before it, or behind it as Germanic imperatives have it."""
    if one.asks and one.has("modal"):
        return False  # "can you not stop?"
    ahead = [there for there in one.at("deny") if at - 6 <= there < at]
    if any(one.near(there, 2, 1, "hesitate") and not one.near(there, 3, 0, "i") for there in ahead):
        return False  # "do not forget to remove me": two denials
    behind = any(
        not one.near(there, 0, 2, "again", "post")
        for there in one.at("deny")
        if at < there <= at + 3 and "," not in one.words[at:there]
    )
    return behind or one.near(at, 4, 0, "deny", "none", "hesitate")


def timed(one: Sentence) -> bool:
    """Whether it is only for a time: "not before March", "not on Fridays"."""
    return one.has("before") or any(
        one.near(at, 0, 2, "when") or one.words[at + 1][:1].isdigit()
        for at in one.at("limit")
        if at + 1 < len(one.words)
    )


def _supposed(one: Sentence) -> bool:
    """If I wanted it, I would say so."""
    return any(
        one.near(at, 0, 2, "i") and one.near(at, 0, 8, "want") and not one.near(at, 0, 8, "deny")
        for at in one.at("if")
    )


def _elsewhere(one: Sentence) -> bool:
    """I left somebody else's list, or one of yours, and want something of you."""
    gone = [at for at in one.at("past", "leave") if one.near(at, 4, 0, "i", "done")]
    return any(
        there > at and one.near(there, 0, 6, "keen") for at in gone for there in one.at("but")
    )


def _asked_why(one: Sentence) -> bool:
    """Why did you stop? It was good."""
    return any(
        one.near(at, 0, 6, "past") or one.words[at + 1 : at + 2] == ("did",) for at in one.at("why")
    ) and one.has("past", "cease")


def _missed(one: Sentence) -> bool:
    """I do not want to miss your mails."""
    return any(one.near(at, 9, 5, "deny", "none") for at in one.at("miss"))


def _kept(one: Sentence) -> bool:
    """Off one list, but keep me on the other."""
    return any(one.near(at, 0, 3, "hold") and one.near(at, 0, 4, "me") for at in one.at("but"))


def _channel(one: Sentence) -> bool:
    """Do not call, write: another channel than the one that they refuse is welcome, so the answer
    is for a person, who knows which channel it was."""
    refused = [at for at in one.at("call", "mailing_is") if one.near(at, 4, 4, "deny", "cease")]
    welcome = [
        at for at in one.at("call", "mailing_is") if not one.near(at, 3, 3, "deny", "cease", "none")
    ]
    if one.has("remove", "leave"):
        return False
    return any(("call" in one.tags[a]) != ("call" in one.tags[b]) for a in refused for b in welcome)


def _of_others(one: Sentence) -> bool:
    """Do you comply when customers ask for it?"""
    if any(one.near(at, 0, 6, "cease", "remove", "leave") for at in one.at("regret")):
        return True  # "I would hate for you to stop"
    if one.asks and one.has("leave") and one.has("if"):
        return True  # "do I have to unsubscribe if we move?"
    other = one.near(0, 0, 2, "third", "colleague") or one.near(1, 1, 0, "colleague")
    if other and any(one.near(at, 0, 4, "i") for at in one.at("but")):
        return True  # "my colleague wants no more of it, but I do"
    return not one.has("me") and (
        one.has("seek") or (one.asks and one.has("third") and not one.has("i"))
    )


def _visits(one: Sentence) -> bool:
    """Stop by: the verb of another sentence altogether."""
    return not one.has(*DOING, "get", "me") and any(
        one.near(at, 0, 1, "visit")
        or (
            one.words[at] == "stop"
            and one.words[at + 1 : at + 2][0:1] > ("",)
            and one.words[at + 1].endswith("ing")
        )
        for at in one.at("cease")
    )


def _told_others(one: Sentence) -> bool:
    """Somebody told somebody else to stop."""
    return any(one.near(at, 0, 3, "third") for at in one.at("say")) and not one.has("me")


def _of_a_thing(one: Sentence) -> bool:
    """It is a contract that they do not want; or somebody is to be put on the list."""
    if one.has("cease", "remove", "leave", "illegal"):
        return False
    joined = any(one.near(at, 8, 1, "into") for at in one.at("lists"))
    return (joined and not one.has("deny", "none")) or any(
        one.near(at, 3, 0, "deny") and one.near(at, 0, 4, "elsewhere") for at in one.at("wish")
    )


_GUARDS = (
    _of_a_thing,
    _visits,
    _told_others,
    _supposed,
    _elsewhere,
    _asked_why,
    _missed,
    _kept,
    _channel,
    _of_others,
)
