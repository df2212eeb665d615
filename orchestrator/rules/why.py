"""Why did this happen, and why did it not (L7): the past of one prospect, told from history.

Pure: values in, lines of English out. A kind that nobody taught this page is told by its name and
its detail, so that nothing is ever left out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

# The words that history, stop_reason and settlement use, as an ending of "because ...".
BECAUSE: dict[str, str] = {
    "opted_out": "they opted out",
    "opt_out": "they opted out",
    "complaint": "they complained to their provider",
    "suppressed": "their address is suppressed",
    "address_bounced": "their address does not take messages",
    "hard_bounce": "the address does not take messages",
    "undeliverable": "no address of theirs takes messages",
    "answered": "they answered: from then on only what the answer opened may leave",
    "answered elsewhere": "they answered in another sequence",
    "declined": "they said no",
    "reread": "what was stored was read again by a newer reader",
    "enrollment_over": "the sequence had moved on or ended by then",
    "enrollment_held": "somebody of ours has something to read or do first",
    "prospect_paused": "they are paused",
    "snoozed": "they asked not to hear from us before a date",
    "sequence_paused": "the sequence is paused",
    "window_closed": "it is outside the hours in which a message may reach them",
    "no_window": "no hour fits every zone that they may live in",
    "by_hand": "somebody of ours stopped it",
    "by hand": "somebody of ours did it",
    "manual": "somebody of ours did it",
    "imported": "it came with an import",
    "completed": "its last step was done",
    "booked": "the call is booked",
    "rate_limited": "the provider asked us to slow down",
    "greylisted": "their server asked us to come back later",
    "connect": "the provider could not be reached",
    "lease_expired": "the worker that had it stopped",
    "stopped": "something spoke against it at the last moment",
    "already_enrolled": "they are or were in this sequence already",
    "in_another": "they are in another sequence now: one conversation at a time",
    "answered_recently": "they answered lately",
    "late": "it could have left long ago: somebody of ours decides whether it still does",
    "restored": "it may have left after the backup that was restored",
    "paused": "they are paused",
    "no_address": "they have no address on a channel of the sequence",
    "bounced": "their address does not take messages",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the story. `at` None: it holds now. `kind` is that of history (`message.sent`);
    `grade` is of an engagement."""

    at: datetime | None
    text: str
    reason: str = ""
    kind: str = field(default="", compare=False)
    channel: str | None = field(default=None, compare=False)
    grade: str | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Happened:
    """One line of history with what it is about. `step` is the message's or the enrollment's."""

    at: datetime
    kind: str
    detail: Mapping[str, Any] = field(default_factory=dict)
    sequence: str | None = None
    version: int | None = None
    step: str | None = None
    message_kind: str | None = None
    channel: str | None = None
    sender: str | None = None
    subject: str | None = None


# kind -> sentence, reason. Names in braces are fields of Happened, its detail and `_words`.
_SENTENCES: dict[str, tuple[str, str]] = {
    "prospect.created": ("Added as a prospect{by_import}.", ""),
    "prospect.updated": ("What is known of them was changed{by_import}.", ""),
    "prospect.changed": ("Changed: {fields}.", ""),
    "prospect.paused": ("Paused.", "{because}"),
    "prospect.resumed": ("Resumed.", ""),
    "prospect.snoozed": ("Nothing is sent before {until}.", ""),
    "prospect.opted_out": ("Opted out of everything, for good.", "{because}"),
    "fact.added": ("A fact was added: {fact}.", ""),
    "identity.bounced": ("An address of theirs stopped taking messages.", "{because}"),
    "enrollment.created": ("Enrolled in {named}.", "{because}"),
    "enrollment.held_back": ("Not enrolled.", "{because}"),
    "enrollment.waits": ("{Named} waits at `{step}` until {until}.", ""),
    "enrollment.moved": ("{Named} went on to `{step}`.", ""),
    "enrollment.held": ("{Named} was held{at_step}.", "{held}"),
    "enrollment.stranded": (
        "{Named} stood still at `{step}`; somebody of ours was asked what to do.",
        "nothing would have moved it again",
    ),
    "enrollment.resumed": ("{Named} goes on{at_step}.", ""),
    "enrollment.answered": ("{Named} went on to `{step}`.", "they answered"),
    "enrollment.unlocked": ("The call of {named} was opened.", "a person answered and meant yes"),
    "enrollment.stopped": ("{Named} was stopped.", "{because}"),
    "enrollment.finished": ("{Named} ended{at_step}.", "{because}"),
    "message.planned": ("{Message} was written, due {due}.", "the step had come"),
    "message.sending": ("{Message} was being handed over.", "{again}"),
    "message.sent": ("{Message} was sent{as_subject}{by_sender}.", "{again}"),
    "message.held": ("{Message} was held back.", "{because}"),
    "message.cancelled": ("{Message} was not sent, and will not be.", "{because}"),
    "message.suppressed": ("{Message} was not sent, and will not be.", "{because}"),
    "message.retry_wait": (
        "{Message} could not be handed over; it will be tried again.",
        "{failed}",
    ),
    "message.failed": ("{Message} was refused for good.", "{failed}"),
    "message.in_doubt": (
        "It is not known whether {message} left; it is never sent again by itself.",
        "the hand-over was cut off after the point of no return",
    ),
    "message.evidence": ("Something came back that shows that {message} left.", "{evidence}"),
    "message.asked": ("The provider was asked whether {message} left: {answer}.", "{about}"),
    "message.abandoned": ("{Message} was given up.", "{because}"),
    "message.released": ("{Message} was not handed over after all.", "{because}"),
    "message.lease_expired": (
        "{Message} went back into the queue, unsent.",
        "the worker that had it stopped",
    ),
    "engagement.recorded": ("{Did}.", "{graded}"),
    "task.opened": ("A task was opened: {title}", ""),
    "task.done": ("A task was done{outcome}.", ""),
    "unlock.created": ("The call of {named} was opened.", "a person answered and meant yes"),
    "booking.made": ("A call was booked.", "they picked the time"),
    "booking.moved": ("The call was moved to another time.", "they picked it"),
    "booking.not_told": ("The {to} could not be told of the call by mail.", "{because}"),
    "booking.cancelled": ("The call was cancelled{by_whom}.", "{because}"),
    "sender.parked": ("The sender{of_sender} rests until {until}.", "{failed}"),
    "sender.paused": ("The sender{of_sender} was paused.", "{failed}"),
}

_DID = {
    "open": "A message of ours was opened",
    "click": "A link of ours was followed",
    "trap": "The hidden link of a message was followed",
    "page_view": "Their page was looked at",
    "reply": "An answer came",
    "tap": "They pressed a button on their page",
    "form": "They sent a form on their page",
    "booking": "They booked a call",
    "auto_reply": "An automatic answer came",
    "out_of_office": "An out-of-office answer came",
    "bounce": "A message came back",
    "reaction": "They reacted to a message",
    "direct_message": "They wrote to us",
    "acceptance": "They accepted the invitation to connect",
}
_GRADED = {
    "human": "it counts as a person's",
    "ambiguous": "a machine could have done it, so that it opens nothing",
    "machine": "a machine did it, so that it counts for nothing",
}


def when(at: datetime | str | None, zone: str | None) -> str:
    """An instant on the prospect's own clock, or in UTC when that is not known."""
    if at is None:
        return "a time that is not known"
    instant = datetime.fromisoformat(at) if isinstance(at, str) else at
    if instant.tzinfo is None:
        return f"{instant:%a %d %b %Y}"
    local = instant.astimezone(ZoneInfo(zone or "UTC"))
    return f"{local:%a %d %b %Y %H:%M} {zone or 'UTC'}"


def because(reason: Any) -> str:
    """A reason of history in words; what is not known stands for itself."""
    text = str(reason or "")
    if text.startswith("company: "):
        return f"of a colleague: {because(text.removeprefix('company: '))}"
    return BECAUSE.get(text, text.replace("_", " "))


def tell(what: Happened, zone: str | None) -> Line:
    """One line of history as a sentence."""
    sentence, reason = _SENTENCES.get(what.kind, _unknown(what))
    if what.kind == "message.in_doubt" and what.detail.get("by") == "restore":
        reason = BECAUSE["restored"]
    words = _words(what, zone)
    return Line(
        what.at,
        sentence.format_map(words).strip(),
        reason.format_map(words).strip(),
        kind=what.kind,
        channel=what.channel,
        grade=what.detail.get("grade"),
    )


def _unknown(what: Happened) -> tuple[str, str]:
    said = ", ".join(f"{name}: {value}" for name, value in sorted(what.detail.items()))
    kind = what.kind.replace(".", " ").replace("_", " ")
    return _escape(f"{kind.capitalize()}."), _escape(said)


def _escape(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


class _Words(dict[str, str]):
    """The words of one sentence; one that is missing is left out instead of breaking the story."""

    def __missing__(self, key: str) -> str:
        return ""


def _words(what: Happened, zone: str | None) -> _Words:
    detail = what.detail
    named = f"{what.sequence} (version {what.version})" if what.sequence else "the sequence"
    step = str(what.step or detail.get("step") or "")
    message = _message(what, step, detail)
    words = _Words({name: str(value) for name, value in detail.items()})
    for name in ("until", "due"):
        if isinstance(detail.get(name), str):
            words[name] = _safe_when(detail[name], zone)
    words.update(
        named=named,
        Named=named[:1].upper() + named[1:] if not what.sequence else named,
        step=(place := str(detail.get("step") or step)),
        at_step=f" at `{place}`" if place else "",
        message=message,
        Message=message[:1].upper() + message[1:],
        because=because(detail.get("reason")),
        failed=because(detail.get("class") or detail.get("reason")),
        held=_held(detail),
        by_import=f" by an import, line {detail['line']}" if "line" in detail else "",
        fields=", ".join(str(name) for name in detail.get("fields", ())),
        as_subject=f" (“{what.subject}”)" if what.subject else "",
        by_sender=f" by {what.sender}" if what.sender else "",
        of_sender=f" {what.sender}" if what.sender else "",
        again=f"attempt {detail['attempt']}" if int(detail.get("attempt") or 1) > 1 else "",
        outcome=f": {because(detail.get('outcome'))}" if detail.get("outcome") else "",
        by_whom=f" by the {detail['by']}" if detail.get("by") else "",
        Did=_did(detail),
        graded=_graded(detail),
    )
    return words


def _safe_when(text: str, zone: str | None) -> str:
    try:
        return when(text, zone)
    except ValueError:
        return text


def _message(what: Happened, step: str, detail: Mapping[str, Any]) -> str:
    kind = what.message_kind or detail.get("message_kind")
    if kind == "call_offer":
        return "the offer of a call"
    if kind == "invitation":
        return "the invitation to the call"
    if kind == "host_invitation":
        return "the host's invitation to the call"
    return f"the message of `{step}`" if step else "a message"


def _held(detail: Mapping[str, Any]) -> str:
    missing = detail.get("missing")
    if missing:
        return f"there is no homework for it yet: {', '.join(str(name) for name in missing)}"
    if detail.get("task"):
        return f"a person has to look: {because(detail['task'])}"
    return because(detail.get("reason"))


def _did(detail: Mapping[str, Any]) -> str:
    kind = str(detail.get("engaged_by") or detail.get("kind") or "")
    did = _DID.get(kind, f"An engagement was noted ({kind or 'unknown'})")
    meaning = detail.get("meaning")
    return f"{did}, read as: {str(meaning).replace('_', ' ')}" if meaning else did


def _graded(detail: Mapping[str, Any]) -> str:
    graded = _GRADED.get(str(detail.get("grade")), "")
    reasons = detail.get("reason") or ", ".join(str(one) for one in detail.get("reasons", ()))
    return "; ".join(part for part in (graded, because(reasons)) if part)
