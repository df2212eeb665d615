"""What the result of a hand-over means for the message, its lane and its enrollment."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from channels.base import NotSent, Refused, SendResult, Sent, Stopped, Unknown
from orchestrator.rules import pacing


@dataclass(frozen=True, slots=True)
class Outcome:
    """The next state of a message, and what else follows."""

    state: Literal["sent", "retry_wait", "failed", "in_doubt"]
    klass: str
    detail: str
    due_at: datetime | None = None
    provider_ref: str | None = None
    park: bool = False  # the lane rests
    pause: bool = False  # the sender is paused until a person mends it
    asked: float | None = None  # seconds that the provider wants us to wait
    bad_address: bool = False
    spared: bool = False  # it befell the account: no attempt of the message is burned


def outcome(result: SendResult, *, attempt: int, fraction: float, now: datetime) -> Outcome | None:
    """The outcome of `result`; None for Stopped, which is released and decided anew.

    A failure of the account burns no attempt: the message is due again at once, and the lane rests.
    """
    match result:
        case Sent(provider_ref=ref, detail=detail):
            return Outcome("sent", "sent", detail, provider_ref=ref)
        case Unknown(detail=detail):
            return Outcome("in_doubt", "in_doubt", detail)
        case Refused(kind=kind, detail=detail, bad_address=bad):
            return Outcome("failed", kind, detail, bad_address=bad)
        case NotSent(kind=kind, detail=detail, retry_after=asked, lane=lane):
            if lane != "fine":
                return Outcome(
                    *("retry_wait", kind, detail, now),
                    park=lane == "park",
                    pause=lane == "pause",
                    asked=asked,
                    spared=True,
                )
            if attempt >= pacing.MAX_ATTEMPTS:
                return Outcome("failed", kind, f"given up after {attempt} attempts: {detail}")
            due = pacing.retry_at(now, attempt, fraction, asked)
            return Outcome("retry_wait", kind, detail, due)
        case Stopped():
            return None


def columns(
    message_id: UUID,
    fence: int,
    found: Outcome,
    *,
    next_step: str | None,
    next_due: datetime | None,
    end_reason: str | None,
) -> dict[str, Any]:
    """The row that `store.handover.settle` writes."""
    return {
        "id": message_id,
        "fence": fence,
        "state": found.state,
        "due_at": found.due_at,
        "provider_ref": None if found.provider_ref is None else _storable(found.provider_ref),
        "class": found.klass,
        "detail": _storable(found.detail)[:500],
        "next_step": next_step,
        "next_due": next_due,
        "end_reason": end_reason,
        "spared": int(found.spared),
    }


def _storable(said: str) -> str:
    """What a server said, without what PostgreSQL refuses as text: one odd reply would spoil the
    commit of every message beside it."""
    return said.replace("\0", "\ufffd").encode(errors="replace").decode()
