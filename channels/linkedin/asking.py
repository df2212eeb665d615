"""What the provider is asked beside sending: is it there, take it back, who has let us in."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from channels.base import ChannelEvent, OutboundMessage, Sent, Unknown
from channels.linkedin.api import Answer, Request
from channels.linkedin.evidence import (
    acceptance,
    judge,
    person,
    request_of,
    user_of,
    written_after,
)
from channels.linkedin.seat import Deaf, Seat
from channels.linkedin.shapes import Json, instant, text, word

_EVER = datetime(1970, 1, 1, tzinfo=UTC)
_PATIENCE = 10.0  # seconds, while a message waits to be settled
_LINGERS = {"pending", "sent", ""}


def read_payload(payload: bytes) -> str:
    """The frozen text. Raises ValueError."""
    found = json.loads(payload)
    if not isinstance(found, dict) or not isinstance(said := found.get("text"), str):
        raise ValueError("the frozen message holds no text")
    return said


async def find_message(seat: Seat, message: OutboundMessage, said: str) -> Sent | Unknown | None:
    """Our message in its conversation. Raises OSError when the provider does not tell."""
    chat, user = message.thread_ref, message.user_ref
    if chat is None:
        user = user or await _user(seat, message.recipient)
        if user is None:
            return Unknown("the provider does not say who this is")
        try:
            found = await seat.read(seat.users(user, "chat"))
        except Deaf as error:
            if error.gone:
                return None  # no conversation with this person: nothing was ever said in it
            raise
        chat = word(found, "chat_id", "id") or word(found.get("data"), "chat_id", "id")
        if chat is None:
            return Unknown("the provider names no chat")
    since = written_after(message.message_id)
    listed = [one async for one in seat.listed(seat.chat(chat, "messages"), since)]
    result = judge(listed, said, since, seat.settings.user_id)
    if isinstance(result, Sent):
        return Sent(result.provider_ref, result.detail, user, chat)
    return result


async def find_request(seat: Seat, message: OutboundMessage) -> Sent | Unknown | None:
    """Our invitation, or that it is accepted already. Raises OSError."""
    found = await seat.read(seat.users(message.user_ref or message.recipient))
    seen = person(found)
    user = message.user_ref or seen.user_ref
    if user is None:
        return Unknown("the provider does not say who this is")
    if seen.connected:
        return Sent(detail="connected", user_ref=user, connected=True)
    async for one in _sent_requests(seat):
        if user_of(one) == user and _status(one) in _LINGERS:
            return Sent(
                detail="found among invitations", user_ref=user, request_ref=request_of(one)
            )
    if seen.invited:
        return Sent(detail="the profile shows the invitation", user_ref=user)
    return None


async def request_ref(seat: Seat, user: str | None) -> str | None:
    """What an invitation that is out is withdrawn by, if the provider says."""
    try:
        async with asyncio.timeout(_PATIENCE):
            async for one in _sent_requests(seat):
                if user is not None and user_of(one) == user:
                    return request_of(one)
    except OSError:  # and TimeoutError, which is one
        pass
    return None


async def withdraw(seat: Seat, ref: str) -> bool:
    """Cancel an invitation; one that is gone counts as cancelled."""
    found = await seat.call(Request("POST", seat.requests(ref, "cancel"), b"{}"))
    if not isinstance(found, Answer) or (found.body is None and found.status >= 300):
        return False
    return 200 <= found.status < 300 or found.status in (404, 410)


async def accepted_since(seat: Seat, since: datetime) -> list[ChannelEvent]:
    """Who became a relation since `since`, and whose invitation says what became of it."""
    made: dict[str, ChannelEvent] = {}
    async for one in _some(seat.listed(seat.users("me", "relations"), since)):
        at = instant(one, "connected_at", "created_at", "date")
        user = user_of(one, "id")
        if user is not None and (at is None or at >= since):
            event = acceptance(one, user, at=at)
            made[event.external_id] = event
    async for one in _some(_sent_requests(seat)):
        user, status = user_of(one), _status(one)
        if user is not None and status in ("accepted", "declined"):
            event = acceptance(one, user, "acceptance" if status == "accepted" else "declined")
            made.setdefault(event.external_id, event)
    return list(made.values())


def _sent_requests(seat: Seat) -> AsyncIterator[Json]:
    return seat.listed(seat.requests(), _EVER, {"type": "sent"})


async def _some(listed: AsyncIterator[Json]) -> AsyncIterator[Json]:
    """As far as the list goes: a long one may end before its end."""
    try:
        async for one in listed:
            yield one
    except Deaf as error:
        if not error.long:
            raise


def _status(item: Json) -> str:
    return text(item, "status", "state").lower()


async def _user(seat: Seat, address: str) -> str | None:
    return person(await seat.read(seat.users(address))).user_ref
