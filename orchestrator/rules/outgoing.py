"""The values between the sender and the rendering of a message."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from channels.base import OutboundMessage

# Messages of a sequence's own steps: caps, gaps, windows and every reason to stop apply to them.
# The others are confirmations of a booking.
OF_STEPS = ("request", "outreach", "call_offer")
_REQUEST = ":request"


def request_step(step: str) -> str:
    """The `messages.step` of the invitation that the message of `step` waits for."""
    return step + _REQUEST


def own_step(kind: str, step: str) -> str:
    """The sequence's step that a message belongs to."""
    return step.removesuffix(_REQUEST) if kind == "request" else step


@dataclass(frozen=True, slots=True)
class MessageRow:
    """A claimed message, as the columns of `messages` say it."""

    id: UUID
    enrollment_id: UUID
    prospect_id: UUID
    step: str
    kind: str  # request | outreach | call_offer | invitation | host_invitation
    channel: str
    sender_id: UUID
    identity_id: UUID | None
    unlock_id: UUID | None
    booking_id: UUID | None
    thread_of: UUID | None
    rfc_message_id: str

    @classmethod
    def of(cls, row: Any) -> "MessageRow":
        """From a mapping (`row._mapping`, `row.mappings()`) with at least these columns."""
        return cls(**{name: row[name] for name in cls.__slots__})


@dataclass(frozen=True, slots=True)
class Prepared:
    """Frozen: this, byte for byte, is what every attempt transmits."""

    message: OutboundMessage
    frozen_at: datetime


@dataclass(frozen=True, slots=True)
class Missing:
    """Not sent for lack of homework (L6): the variables that are unknown or blank."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unsendable:
    """It can never be said on this channel: why, in words for a person."""

    reason: str


Outgoing = Prepared | Missing | Unsendable
