"""The contract of a channel: one message value in, one result value out.

A channel is told apart from every other by what it declares here, never by its name.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol, runtime_checkable
from uuid import UUID

# Commits `sending` and says whether it may go on. A channel awaits it once per send, after all that
# is provably without effect and right before the first byte that the provider could act on. False:
# return Stopped() without sending.
PassPoint = Callable[[], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a provider can do; the layers above branch on this and not on names."""

    threads: bool = False
    html: bool = False
    subject: bool = False
    invitation: bool = False  # a first message needs an accepted invitation
    read_receipts: bool = False
    max_length: int | None = None  # characters of text
    idempotent_seconds: int | None = None  # how long the provider honours our key
    queryable: bool = False  # the provider can be asked whether it has our message


@dataclass(frozen=True, slots=True)
class Account:
    """One sender account, which is one lane. `secrets` never reach a log or a repr."""

    id: UUID
    name: str
    address: str
    display_name: str
    settings: Mapping[str, Any]
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Attachment:
    """A part that is carried beside the text, such as an iCalendar object."""

    filename: str
    content_type: str  # "text/calendar; method=REQUEST"
    content: bytes


@dataclass(frozen=True, slots=True)
class Draft:
    """What is to be said, before the channel turns it into the bytes that it transmits."""

    message_id: UUID
    recipient: str  # canonical address on this channel
    recipient_name: str
    subject: str
    text: str
    html: str | None
    rfc_message_id: str
    date: datetime
    language: str
    in_reply_to: str | None = None  # Message-ID of the thread's last message
    references: tuple[str, ...] = ()
    thread_ref: str | None = None  # provider's reference of the thread, where it has threads
    unsubscribe_url: str | None = None  # https, one-click POST (RFC 8058)
    reply_token: str | None = None  # address token, when the account uses address_tokens
    attachments: tuple[Attachment, ...] = ()
    automatic: bool = False  # a confirmation, not outreach: Auto-Submitted (RFC 3834)


@dataclass(frozen=True, slots=True)
class OutboundMessage:
    """The frozen message: `payload` is the same at every attempt, byte for byte."""

    message_id: UUID
    recipient: str
    payload: bytes
    idempotency_key: str


@dataclass(frozen=True, slots=True)
class Sent:
    """The provider took responsibility."""

    provider_ref: str | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class NotSent:
    """Provably not sent: may be tried again. `lane`: the account, not the message, is ill."""

    kind: str  # "connect", "greylisted", "rate_limited" ...
    detail: str
    retry_after: float | None = None  # seconds, where the provider said so
    lane: Literal["fine", "park", "pause"] = "fine"


@dataclass(frozen=True, slots=True)
class Refused:
    """Refused for good. `bad_address` suppresses the address, never the person."""

    kind: str
    detail: str
    bad_address: bool = False


@dataclass(frozen=True, slots=True)
class Unknown:
    """It may or may not have left. Never resent by itself (L2)."""

    detail: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """`pass_point` said no: nothing left."""


SendResult = Sent | NotSent | Refused | Unknown | Stopped


class Channel(Protocol):
    """A provider of one way to reach people. One instance per process; pools connections inside."""

    name: str
    capabilities: Capabilities

    def canonical(self, address: str) -> str:
        """The one spelling of an address that is stored, hashed and put on the envelope.

        Raises ValueError with a message for people when it is no address of this channel.
        """
        ...

    def freeze(self, account: Account, draft: Draft) -> bytes:
        """The bytes that will be transmitted. Pure; raises ValueError for what cannot be said."""
        ...

    async def send(
        self, account: Account, message: OutboundMessage, pass_point: PassPoint
    ) -> SendResult:
        """Hand over one message. Never raises for what a provider does; cancellation is Unknown
        when it comes after `pass_point`, and re-raised."""
        ...

    async def close(self) -> None:
        """Drop every connection."""
        ...


@runtime_checkable
class Testable(Protocol):
    """A channel whose accounts can be looked over before anything is sent by them."""

    def check_settings(self, settings: Mapping[str, Any], secrets: Mapping[str, str]) -> None:
        """Raises ValueError, in words that name the field, for settings that cannot work."""
        ...

    async def check(self, account: Account) -> NotSent | None:
        """Connect, secure, log in and hang up. None: all of it works."""
        ...
