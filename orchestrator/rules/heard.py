"""What a channel event means for the person it is about. Pure.

The trust of the source decides how far its word goes: a weak one may stop, and unlocks nothing.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

from channels.base import ChannelEvent
from orchestrator.rules import meaning, opens
from orchestrator.rules.gate import Grade, Meaning

_LATER = timedelta(days=90)  # what "Not now" means when no date is said
_GLAD = frozenset({"+1", "thumbsup", "heart", "tada", "eyes", "raised_hands", "white_check_mark"})
_SORRY = frozenset({"-1", "thumbsdown", "no_entry", "no_entry_sign", "x"})


@dataclass(frozen=True, slots=True)
class Heard:
    """An engagement to record. `then` is what else follows, by itself."""

    kind: str
    grade: Grade
    meaning: Meaning | None = None
    until: date | None = None
    reasons: tuple[str, ...] = ()
    then: Literal["nothing", "bounce", "complaint", "unsubscribe"] = "nothing"


def heard(
    event: ChannelEvent,
    *,
    trust: Literal["signed", "weak"],
    handed_at: datetime | None,
    now: datetime,
    theirs: bool = True,
) -> Heard | None:
    """The engagement of `event`; None when it is about no engagement at all. `theirs`: False where
    somebody else did it in the person's conversation."""
    found = _said(event, now) or _noticed(event, handed_at, now)
    # Nothing tells whether we wrote it ourselves: a person of ours looks.
    unclear = event.detail.get("writer") == "unclear"
    if found is None or found.grade != "human" or (trust == "signed" and theirs and not unclear):
        return found
    if found.meaning in ("stop", "no"):
        return found
    # Who could forge it can not unlock a call with it: a person of ours reads it first.
    why = "writer_unclear" if unclear else "weakly_signed_source" if theirs else "somebody_else"
    reasons = (*found.reasons, why)
    return Heard("mail", "ambiguous", None, found.until, reasons, found.then)


def _said(event: ChannelEvent, now: datetime) -> Heard | None:
    match event.kind:
        case "message":
            verdict = meaning.read(event.text, today=now.date())
            reasons = tuple(verdict.reasons)
            return Heard("direct_message", "human", verdict.meaning, verdict.until, reasons)
        case "button":
            return _pressed(event, now)
        case "reaction":
            name = str(event.detail.get("reaction", "")).split("::")[0]
            known: Meaning = "unclear"
            if name in _GLAD:
                known = "interested"
            elif name in _SORRY:
                known = "no"
            return Heard("reaction", "human", known, reasons=(f"reaction {name[:40]}",))
        case "acceptance":
            return Heard("acceptance", "human", reasons=("let_in",))
    return None


def _pressed(event: ChannelEvent, now: datetime) -> Heard:
    match event.choice:
        case "more":
            return Heard("tap", "human", "interested", reasons=("button",))
        case "later":
            return Heard("tap", "human", "not_now", now.date() + _LATER, ("button",))
        case "never":
            return Heard("tap", "human", "stop", reasons=("button",))
        case _:
            return Heard("tap", "human", "unclear", reasons=("unknown_button",))


def _noticed(event: ChannelEvent, handed_at: datetime | None, now: datetime) -> Heard | None:
    at = event.occurred_at or now
    match event.kind:
        case "read":
            return Heard("read", "ambiguous", reasons=("read_receipt",))
        case "opened" | "clicked":
            hit = opens.Hit("GET", event.user_agent or "")
            if event.kind == "opened":
                verdict = opens.judge_open(hit, handed_at=handed_at, now=at)
            else:
                verdict = opens.judge_click(hit, handed_at=handed_at, now=at)
            machine = bool(event.detail.get("bot"))
            reasons = (*verdict.reasons, *(("provider_says_bot",) if machine else ()))
            kind = "open" if event.kind == "opened" else "click"
            return Heard(kind, "machine" if machine else verdict.grade, reasons=reasons)
        case "link_preview":
            return Heard("link_preview", "machine", reasons=("unfurled",))
        case "bounced":
            then: Literal["bounce", "nothing"] = "bounce" if event.bounce == "hard" else "nothing"
            return Heard("bounce", "machine", reasons=(event.bounce or "other",), then=then)
        case "complained":
            return Heard("complaint", "machine", then="complaint")
        case "unsubscribed":
            return Heard("unsubscribe", "machine", then="unsubscribe")
    return None
