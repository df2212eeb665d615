"""Whether what the provider lists is our message, or the invitation that we sent. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal
from uuid import UUID

from channels.base import ChannelEvent, Sent, Unknown
from channels.linkedin.address import canonical_address
from channels.linkedin.shapes import Json, instant, part, text, truth, word

_SKEW = timedelta(minutes=5)  # between the provider's clock and ours
_PREFIX = 20  # letters after which a text that breaks off may be ours


def written_after(message_id: UUID) -> datetime:
    """When the message cannot have been sent before: its id is a UUIDv7 and holds when it was made
    (RFC 9562 5.7)."""
    if message_id.version != 7:
        return datetime(1970, 1, 1, tzinfo=UTC)
    return datetime.fromtimestamp((message_id.int >> 80) / 1000, UTC) - _SKEW


def letters(said: str) -> str:
    """What every network leaves of a text: they change spaces, line breaks, dashes and quotes."""
    made = "".join(character for character in said.casefold() if character.isalnum())
    return made or "".join(said.split())


def judge(
    listed: Iterable[Json], said: str, since: datetime, user_id: str | None
) -> Sent | Unknown | None:
    """Whether `said` is among the messages of a chat that were written by us after `since`.

    Unknown: something of ours is there that may have been it (deleted, cut, of unclear origin).
    """
    wanted = letters(said)
    doubt: Unknown | None = None
    for one in listed:
        at = instant(one, "timestamp", "created_at", "date")
        ours = is_ours(one, user_id)
        if ours is False or (at is not None and at < since):
            continue
        found = letters(text(one, "text", "message", "body"))
        if found == wanted and ours:
            return Sent(word(one, "id", "message_id"), "found in the chat", None, chat_of(one))
        cut = len(found) >= _PREFIX and wanted.startswith(found)
        if found == wanted or (ours and (not found or cut)):
            doubt = Unknown("the chat holds a message that may be this one")
    return doubt


def is_ours(message: Json, user_id: str | None) -> bool | None:
    """Whether the seat's own user wrote `message`. None: it does not say."""
    told = truth(message, "is_sender", "from_me", "is_self")
    if told is None:
        told = truth(part(message, "sender", "from"), "is_self", "is_me")
    if told is True:
        return True
    sender = word(message, "sender_id") or word(
        part(message, "sender", "from"), "attendee_provider_id", "provider_id", "user_id", "id"
    )
    if user_id is not None and sender is not None:
        return sender == user_id
    return told


def chat_of(message: Json) -> str | None:
    """The conversation that `message` is in."""
    return word(message, "chat_id") or word(part(message, "chat"), "id")


@dataclass(frozen=True, slots=True)
class Person:
    """What the provider says of one person, as seen from the seat."""

    user_ref: str | None
    connected: bool | None
    invited: bool | None


def person(profile: Json) -> Person:
    """Read a user's profile. What it does not say is None."""
    body = part(profile, "data", "user") or profile
    connected = truth(body, "is_relationship", "is_connection", "is_relation")
    if connected is None and (far := text(body, "network_distance", "distance")):
        connected = far.upper() in ("FIRST_DEGREE", "DISTANCE_1", "1")
    invited = truth(body, "pending_invitation", "invitation_pending")
    invitation = part(body, "invitation")
    if invited is None and invitation:
        invited = (text(invitation, "type").upper(), text(invitation, "status").upper()) == (
            *("SENT", "PENDING"),
        )
    return Person(word(body, "user_id", "provider_id", "id"), connected, invited)


def user_of(item: Json, *more: str) -> str | None:
    """Who a relation, an invitation or an event of one is about. `more`: names that hold it in
    this place only."""
    names = ("user_id", "user_provider_id", "invited_user_id", "provider_id", "member_id", *more)
    return word(item, *names) or word(
        part(item, "user", "relation", "invited_user", "recipient"),
        *("id", "user_id", "provider_id", "member_id"),
    )


def address_of(item: Json) -> str | None:
    """The canonical address of the person that `item` shows, where it says one."""
    shown = part(item, "user", "relation", "invited_user", "recipient")
    for one in (item, shown):
        given = word(
            one,
            *("public_identifier", "user_public_identifier", "invited_user_public_id"),
            *("attendee_public_identifier", "public_profile_url", "profile_url"),
            *("user_profile_url", "attendee_profile_url"),
        )
        if given is not None:
            try:
                return canonical_address(given)
            except ValueError:
                continue
    return None


def request_of(item: Json) -> str | None:
    """What an invitation is withdrawn by."""
    return word(item, "request_id", "relation_request_id", "invitation_id", "id")


def acceptance(
    item: Json,
    user_ref: str,
    kind: Literal["acceptance", "declined"] = "acceptance",
    at: datetime | None = None,
) -> ChannelEvent:
    """One person let us in. The same id by webhook and by polling, so that it counts once."""
    return ChannelEvent(
        kind,
        f"{kind}:{user_ref}",
        at or instant(item, "accepted_at", "connected_at", "created_at", "date"),
        address_of(item),
        user_ref=user_ref,
    )
