"""The provider's events in our words: version 2's envelope, and the shapes of version 1. Pure.

Ids are made of what happened (`message:<id>`), not of the delivery, so that one thing that is told
twice, by both versions or by polling as well, is one event.
"""

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from typing import Literal

from channels.base import ChannelEvent
from channels.linkedin.evidence import acceptance, address_of, is_ours, request_of, user_of
from channels.linkedin.shapes import Json, items, part, text, truth, word
from channels.linkedin.told import USER_IDS, Own, Told, unread

_LONGEST_TEXT = 100_000  # characters
# Neither the event nor the seat's settings (`user_id`) say whether we wrote it ourselves.
_UNSURE = {"writer": "unclear"}
_STATES = {
    "running": None,  # all is well
    "reconnect": None,
    "ok": None,
    "reconnected": None,
    "creation_success": None,
    "sync_success": None,
    "disconnected": "the network has logged this account out: log in again at the provider",
    "credentials": "the network asks this account to log in again: do so at the provider",
    "permissions": "the provider lacks a permission on this account: grant it there",
    "errored": "the provider reports an error of this account",
    "error": "the provider reports an error of this account",
    "paused": "the provider has paused this account",
    "stopped": "the provider has stopped this account",
    "remove": "the account was removed at the provider",
    "deleted": "the account was removed at the provider",
}


def read(found: object, body: bytes, seat: Own, raw: str | None) -> ChannelEvent:
    """The event in `found`. `body`: its own bytes; `raw`: the same when they are a part of more."""
    if not isinstance(found, dict):
        made = unread(body, "not an object")
    elif isinstance(found.get("AccountStatus"), dict):
        made = _status_v1(found["AccountStatus"], body, seat)
    elif isinstance(found.get("type"), str) and "payload" in found:
        made = _envelope(found, body, seat)
    elif isinstance(found.get("event"), str):
        made = _hook_v1(found, body, seat)
    else:
        made = unread(body, "no event that we know")
    return made if raw is None else replace(made, detail={**made.detail, "raw": raw})


def _envelope(found: Json, body: bytes, seat: Own) -> ChannelEvent:
    """Version 2: {id, created_at, account_id, type, payload}."""
    kind = text(found, "type")
    payload = part(found, "payload")
    own = part(payload, "message") if kind == "message.new" else {}
    told = Told(own or payload, seat, found, body)
    if told.is_anothers(found):
        return told.unknown("another account", kind)
    if kind.startswith("account."):
        return _status_v2(told, kind)
    reader = _READERS.get(kind)
    made = reader(told) if reader is not None else None
    return made or told.unknown("nothing to act on", kind)


def _hook_v1(found: Json, body: bytes, seat: Own) -> ChannelEvent:
    """Version 1: one flat object with the name of its event."""
    kind = text(found, "event")
    told = Told(found, seat, found, body)
    if told.is_anothers(found):
        return told.unknown("another account", kind)
    reader = _READERS_V1.get(kind)
    made = reader(told) if reader is not None else None
    return made or told.unknown("nothing to act on", kind)


def _message(told: Told) -> ChannelEvent | None:
    """Our own come back as well, and so does what our user writes on their phone."""
    if told.message is None or truth(told.own, "is_event", "deleted", "hidden"):
        return None
    ours = told.ours()
    ref, address = told.other()
    if ours:
        ref, address = _correspondent(told)
    return ChannelEvent(
        "own_message" if ours else "message",
        f"message:{told.message}",
        told.at,
        address,
        ref,
        told.chat,
        told.message,
        text=text(told.own, "text", "message", "body")[:_LONGEST_TEXT],
        detail=_UNSURE if ours is None else {},
    )


def _correspondent(told: Told) -> tuple[str | None, str | None]:
    """The one other person of the conversation, when there is just one."""
    others = [
        one
        for one in items(told.own.get("attendees"))
        if not truth(one, "is_self", "is_me") and word(one, *USER_IDS) != told.me
    ]
    if len(others) != 1:
        return None, None
    return word(others[0], *USER_IDS), address_of(others[0])


def _read_receipt(told: Told) -> ChannelEvent | None:
    return _receipt(told, "read")


def _receipt(told: Told, kind: Literal["read", "delivered"]) -> ChannelEvent | None:
    """`sender` is who wrote the message, and not who read it."""
    reader = part(told.own, "user", "reader")
    ref = word(told.own, "user_id", "reader_id") or word(reader, *USER_IDS)
    if told.me is not None and ref == told.me:
        return None  # our own user read it
    named = word(told.own, "message_id")
    thing = named or told.id
    if thing is None:
        return None
    made = f"{kind}:{thing}:{ref or ''}"
    return ChannelEvent(kind, made, told.at, address_of(reader), ref, told.chat, named)


def _delivered(told: Told) -> ChannelEvent | None:
    return _receipt(told, "delivered")


def _reaction(told: Told) -> ChannelEvent | None:
    """Version 1 tells of the message as well: its sender and its `is_sender` are not the
    reaction's."""
    message = word(told.own, "message_id")
    if message is None:
        return None
    given, who = part(told.own, "reaction"), part(told.own, "reaction_sender")
    ours: bool | None
    if given or who:
        ref = word(given, "sender_id", "user_id") or word(who, *USER_IDS)
        address = address_of(who)
        ours = is_ours({**given, "sender_id": ref}, told.me)
    else:
        ref, address = told.other()
        ours = told.ours()
    value = text(given, "value", "emoji") or text(told.own, "reaction", "value", "emoji")
    return ChannelEvent(
        "own_message" if ours else "reaction",
        f"reaction:{message}:{ref or ''}:{value[:40]}",
        told.at,
        address,
        ref,
        told.chat,
        message,
        text=value[:100],
        detail=_UNSURE if ours is None else {},
    )


def _accepted(told: Told) -> ChannelEvent | None:
    user = user_of(told.own)
    if user is not None:
        made = acceptance(told.own, user, at=told.at)
        request = word(told.own, "request_id", "relation_request_id", "invitation_id")
    else:
        request = request_of(told.own)
        if request is None:
            return None
        made = ChannelEvent(
            "acceptance", f"acceptance:request:{request}", told.at, address_of(told.own)
        )
    return replace(
        made, thread_ref=told.chat, detail={"request_ref": request} if request is not None else {}
    )


def _opened(told: Told) -> ChannelEvent | None:
    return _tracked(told, "opened")


def _clicked(told: Told) -> ChannelEvent | None:
    return _tracked(told, "clicked")


def _tracked(told: Told, kind: Literal["opened", "clicked"]) -> ChannelEvent | None:
    """Raw: whether a machine did it is for the rules above."""
    thing = word(told.own, "event_id") or told.id
    if thing is None:
        return None
    return ChannelEvent(
        kind,
        f"{kind}:{thing}",
        told.at,
        provider_ref=word(told.own, "email_id", "message_id"),
        ip=word(told.own, "ip"),
        user_agent=text(told.own, "user_agent")[:500] or None,
        detail={"url": text(told.own, "url")[:2000]} if kind == "clicked" else {},
    )


def _status_v2(told: Told, kind: str) -> ChannelEvent:
    state = kind.removeprefix("account.").removeprefix("status.")
    if state not in _STATES:
        return told.unknown("nothing to act on", kind)
    return _account(told, state)


def _status_v1(found: Json, body: bytes, seat: Own) -> ChannelEvent:
    state = text(found, "message").lower()
    told = Told(found, seat, found, body)
    if told.is_anothers(found):
        return told.unknown("another account", state)
    if state not in _STATES:
        return told.unknown("nothing to act on", state)
    return _account(told, state)


def _account(told: Told, state: str) -> ChannelEvent:
    # Version 1 gives neither an id nor a time: the same state told again is then the same event.
    # A second logout that is lost so is found by the next send, whose 401 pauses the lane.
    made = f"account:{told.id or sha256(told.body).hexdigest()}"
    wrong = _STATES[state]
    return ChannelEvent(
        "account",
        made,
        told.at,
        text=wrong or "",
        account_ok=wrong is None,
        detail={"state": state},
    )


_Reader = Callable[[Told], ChannelEvent | None]
_READERS: dict[str, _Reader] = {
    "message.new": _message,
    "message.receipt.read": _read_receipt,
    "message.receipt.delivery": _delivered,
    "message.reaction.new": _reaction,
    "relation.request.accept": _accepted,
    "tracking.open": _opened,
    "tracking.click": _clicked,
}
_READERS_V1: dict[str, _Reader] = {
    "message_received": _message,
    "message_read": _read_receipt,
    "message_delivered": _delivered,
    "message_reaction": _reaction,
    "new_relation": _accepted,
    "mail_opened": _opened,
    "mail_link_clicked": _clicked,
}
