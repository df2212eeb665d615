"""The values between the sender and the rendering of a message."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from channels.base import OutboundMessage


@dataclass(frozen=True, slots=True)
class MessageRow:
    """A claimed message, as the columns of `messages` say it."""

    id: UUID
    enrollment_id: UUID
    prospect_id: UUID
    step: str
    kind: str  # outreach | call_offer | invitation | host_invitation
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
