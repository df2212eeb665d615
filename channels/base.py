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
    invitation: bool = False  # a first message may need an accepted invitation (`Inviting`)
    buttons: bool = False  # a message can carry choices that are answered with one press
    read_receipts: bool = False
    max_length: int | None = None  # characters of text
    idempotent_seconds: int | None = None  # how long the provider honours our key
    queryable: bool = False  # the provider can be asked whether it has our message (`Queryable`)
    rate_scope: Literal["account", "recipient", "workspace"] = "account"  # what a 429 is about


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
    request: bool = False  # the invitation that asks to be let in, not the message itself
    page_url: str | None = None  # the prospect's own page
    automatic: bool = False  # a confirmation, not outreach: Auto-Submitted (RFC 3834)


@dataclass(frozen=True, slots=True)
class OutboundMessage:
    """The frozen message: `payload` is the same at every attempt, byte for byte."""

    message_id: UUID
    recipient: str
    payload: bytes
    idempotency_key: str
    request: bool = False  # an invitation, see Draft
    # Where the provider keeps the conversation, as it said in an earlier result or event. Part of
    # the addressing and not of what is said, so not frozen.
    user_ref: str | None = None
    thread_ref: str | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """The provider took responsibility."""

    provider_ref: str | None = None
    detail: str = ""
    user_ref: str | None = None  # who that address is at the provider
    thread_ref: str | None = None  # the conversation that it is in now
    request_ref: str | None = None  # the invitation, to withdraw it by
    connected: bool = False  # of an invitation: none was needed, they had let us in before


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


class Handing(Protocol):
    """One message on its way."""

    @property
    def message(self) -> OutboundMessage: ...

    async def pass_point(self) -> bool:
        """See `PassPoint`."""
        ...


class Feed(Protocol):
    """Where a connection that stays open gets its messages. Each that `next` gives is answered by
    `done` once, or handed `back`."""

    def next(self) -> Handing | None:
        """The next message; None: no more for this connection."""
        ...

    def done(self, one: Handing, result: SendResult) -> None:
        """What came of it."""
        ...

    def back(self, one: Handing) -> None:
        """Nothing was done about it, and the connection is gone: `next` may give it again."""
        ...


@runtime_checkable
class Streaming(Protocol):
    """A channel that keeps a connection open, and may name the next message to the provider before
    it has answered for the last one."""

    def connections(self, account: Account) -> int:
        """How many connections this account may have at once."""
        ...

    async def stream(self, account: Account, feed: Feed) -> None:
        """Hand over what `feed` gives, one after the other, until it gives nothing. At most one
        message is past its `pass_point` and unanswered. Raises what `pass_point` raises."""
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


# What comes back, in the same words whatever the provider. `unknown` is kept raw, and acts on
# nothing.
EventKind = Literal[
    "message",  # the person wrote
    "button",  # the person pressed a choice of ours
    "reaction",  # the person reacted to a message of ours
    "acceptance",  # the person let us in
    "declined",
    "read",  # a read receipt
    "own_message",  # we, or our user in person, wrote: never an answer
    "delivered",
    "deferred",
    "bounced",
    "complained",
    "opened",
    "clicked",
    "unsubscribed",
    "link_preview",  # a machine unfurled a link
    "account",  # the state of the account itself changed
    "unknown",
]
BounceClass = Literal["hard", "mailbox_full", "blocked", "transient", "other"]


@dataclass(frozen=True, slots=True)
class ChannelEvent:
    """One thing that happened at the provider. References that it does not name are None."""

    kind: EventKind
    external_id: str  # unique within the source for ever: the same event twice has the same one
    occurred_at: datetime | None = None
    address: str | None = None  # canonical address on the channel of the person it is about
    user_ref: str | None = None
    thread_ref: str | None = None
    provider_ref: str | None = None  # of our message
    message_id: UUID | None = None  # ours, from a tag or metadata that we put there
    rfc_message_id: str | None = None
    text: str = ""
    choice: Literal["more", "later", "never"] | None = None  # of a button
    bounce: BounceClass | None = None
    # Of `account`: ok again, or what is wrong in words for a person.
    account_ok: bool | None = None
    ip: str | None = None  # of an open or click
    user_agent: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class InboundRequest:
    """A request from a provider, as it came. Header names are lower case."""

    headers: Mapping[str, str]
    body: bytes
    path: str = "/"
    query: Mapping[str, str] = field(default_factory=dict)
    fetched: Mapping[str, bytes] = field(default_factory=dict)  # by URL, see `Fetching`


@dataclass(frozen=True, slots=True)
class Verified:
    """The request is the provider's. `answer`: reply with this body, store nothing (a handshake).
    `follow`: an https URL of the provider's own that must be fetched to confirm a subscription.
    `once`: what was signed, where it does not cover the body: the door takes one body for it."""

    answer: tuple[str, bytes] | None = None  # content type, body
    follow: str | None = None
    once: str | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """Not the provider's, or not readable: the status to answer with, and why, without secrets."""

    status: Literal[400, 401, 403]
    reason: str


class EventSource(Protocol):
    """A door that a provider's events come in by. Both methods are pure and never raise."""

    name: str  # in the URL: POST /hooks/<name>/<sender name>
    channel: str  # whose senders it belongs to
    # `weak`: not signed, or not over the whole body. It can stop a sequence; it unlocks nothing.
    trust: Literal["signed", "weak"]
    secrets: tuple[str, ...]  # names within the sender's secrets that `verify` needs

    def verify(
        self,
        request: InboundRequest,
        account: Account,
        now: datetime,
    ) -> Verified | Rejected:
        """Check the raw bytes before anything is parsed. Stale timestamps are rejected."""
        ...

    def parse(self, request: InboundRequest, account: Account) -> list[ChannelEvent]:
        """The events of a verified request; what is not understood is `unknown`, never an error."""
        ...


@runtime_checkable
class Fetching(Protocol):
    """A source whose provider publishes what its signatures are verified with, such as a
    certificate. `verify` stays pure: the door fetches (and keeps) what `wants` names, and hands it
    in as `request.fetched`; what is not there is missing in it."""

    def wants(self, request: InboundRequest, account: Account) -> tuple[str, ...]:
        """The https URLs that `verify` needs. Pure, never raises; names only hosts of the
        provider's own, since the request is not verified yet."""
        ...


@runtime_checkable
class Inviting(Protocol):
    """A channel on which a person may have to let us in before a message can reach them."""

    def needs_request(self, account: Account) -> bool:
        """Whether this account reaches people by invitation only."""
        ...

    def request_limit(self, account: Account) -> int | None:
        """Characters that the note of an invitation may have; None: any, 0: no note at all."""
        ...

    def request_pace(self, account: Account) -> "RequestPace":
        """Caps and times of invitations of this account."""
        ...

    async def withdraw(self, account: Account, request_ref: str) -> bool:
        """Take an invitation back that was not accepted. False: it is not known whether it is."""
        ...

    async def poll(self, account: Account, since: datetime) -> list[ChannelEvent]:
        """What webhooks may not have said yet, such as acceptances. Raises OSError when the
        provider does not answer."""
        ...


@dataclass(frozen=True, slots=True)
class RequestPace:
    """How an account may invite: caps, how long an invitation stays, the ban after withdrawal."""

    daily: int
    weekly: int
    withdraw_after_days: int
    ban_days: int
    notes_monthly: int | None = None  # invitations with a note; the others go without. None: any


@runtime_checkable
class Queryable(Protocol):
    """A channel that can be asked whether a message of ours has left."""

    async def find(self, account: Account, message: OutboundMessage) -> Sent | Unknown | None:
        """Sent: it is there. None: it certainly is not. Unknown: the provider cannot tell now."""
        ...


@runtime_checkable
class PartlyQueryable(Queryable, Protocol):
    """A channel of which only some accounts can be asked."""

    def can_ask(self, account: Account) -> bool:
        """Whether this one can."""
        ...


def askable(channel: Channel, account: Account) -> bool:
    """Whether the provider of this account can be asked, by what the channel declares."""
    if isinstance(channel, PartlyQueryable):
        return channel.can_ask(account)
    return isinstance(channel, Queryable)


@runtime_checkable
class Keyed(Protocol):
    """A channel of which only some accounts have a provider that honours our key."""

    def key_seconds(self, account: Account, message: OutboundMessage) -> int | None:
        """How long: this message twice within it arrives once. None: its key is not honoured."""
        ...


def key_seconds(channel: Channel, account: Account, message: OutboundMessage) -> int | None:
    """How long the provider honours the key of this message, by what the channel declares."""
    if isinstance(channel, Keyed):
        return channel.key_seconds(account, message)
    return channel.capabilities.idempotent_seconds


@runtime_checkable
class Manual(Protocol):
    """A channel that a person may work by hand instead of us."""

    def by_hand(self, account: Account) -> bool:
        """Whether messages of this account become tasks with the text ready to copy."""
        ...

    def profile_url(self, account: Account, address: str) -> str | None:
        """Where the person is found, for the task."""
        ...
