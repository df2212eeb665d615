"""Events API: from one delivery to one event in our words. Pure; raises nothing for any body.

What a person did counts as theirs only when it is plain that they are not one of us: a colleague in
a shared channel, the bot itself and another app are never an answer (L1).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from channels.base import Account, ChannelEvent, EventKind
from channels.slack import blocks
from channels.slack.invites import invite_event, others
from channels.slack.values import (
    ident,
    items,
    moment,
    obj,
    person,
    place,
    plain,
    token,
    ts,
    uuid,
)

_BY_PEOPLE = frozenset({None, "file_share", "thread_broadcast", "me_message"})


@dataclass(frozen=True, slots=True)
class Delivery:
    """An outer event, its inner one, and whose account it came to."""

    outer: Mapping[str, Any]
    event: Mapping[str, Any]
    external_id: str
    workspace: str
    shared: bool  # whether this account speaks to people elsewhere
    colleagues: frozenset[str]

    @property
    def ours(self) -> frozenset[str]:
        """The users that the app acts as."""
        found = (ident(each, "user_id") for each in items(self.outer, "authorizations"))
        return frozenset(user for user in found if user is not None)

    @property
    def team(self) -> str | None:
        """The workspace of whoever did it. In a shared channel the envelope's may be either's."""
        for name in ("user_team", "team", "source_team"):
            if (found := ident(self.event, name)) is not None:
                return found
        found = ident(self.outer, "team_id")
        return None if self.shared and found == self.workspace else found

    @property
    def by_us(self) -> bool:
        """Whether the app did it, or a colleague of ours among guests."""
        user = ident(self.event, "user")
        if user is not None and user in self.ours | self.colleagues:
            return True
        return self.shared and self.team == self.workspace

    def made(self, kind: EventKind, **values: Any) -> ChannelEvent:
        """An event of ours."""
        at = self.event.get("event_ts") or self.outer.get("event_time")
        detail = {
            name: found for name in ("type", "subtype") if (found := token(self.event, name))
        } | values.pop("detail", {})
        values.setdefault("thread_ref", ident(self.event, "channel"))
        return ChannelEvent(kind, self.external_id, occurred_at=moment(at), detail=detail, **values)

    def unknown(self, why: str) -> ChannelEvent:
        """Kept, and acting on nothing."""
        return self.made("unknown", detail={"why": why})


def read(body: Mapping[str, Any], account: Account, fallback: str) -> ChannelEvent:
    """The event of a delivery. `fallback` is its id where Slack gave none."""
    delivery = Delivery(
        body,
        obj(body, "event"),
        token(body, "event_id") or fallback,
        str(account.settings.get("workspace", "")),
        account.settings.get("reach") == "connect",
        frozenset(map(str, account.settings.get("colleagues") or ())),
    )
    if token(body, "type") != "event_callback":
        return delivery.unknown(token(body, "type") or "no type")
    if not _is_here(delivery):
        return delivery.unknown("another workspace")
    reader = _READERS.get(token(delivery.event, "type") or "")
    return reader(delivery) if reader is not None else delivery.unknown("not of use")


def _is_here(delivery: Delivery) -> bool:
    named = {ident(delivery.outer, "team_id"), ident(delivery.outer, "context_team_id")}
    named |= {ident(each, "team_id") for each in items(delivery.outer, "authorizations")}
    named |= {ident(each, "enterprise_id") for each in items(delivery.outer, "authorizations")}
    named.discard(None)
    return not named or delivery.workspace in named


def _message(delivery: Delivery) -> ChannelEvent:
    event = delivery.event
    channel, at = ident(event, "channel"), ts(event, "ts")
    user, subtype = ident(event, "user"), token(event, "subtype")
    if event.get("bot_id") or subtype == "bot_message" or delivery.by_us:
        return _own(delivery, place(channel, at))
    if subtype not in _BY_PEOPLE or ("subtype" in event and subtype is None):
        return delivery.unknown("no new message of a person")
    if event.get("hidden") or user is None or channel is None or at is None:
        return delivery.unknown("no person, place or time")
    direct = token(event, "channel_type") == "im" or (
        "channel_type" not in event and channel.startswith("D")
    )
    if not direct and not delivery.shared:
        return delivery.unknown("not said to us")
    who = person(delivery.team, user)
    return delivery.made(
        "message",
        address=who,
        user_ref=who,
        provider_ref=_answered(event, channel, at),
        text=plain(event.get("text")),
    )


def _answered(event: Mapping[str, Any], channel: str, at: str) -> str | None:
    """The message that a reply in a thread hangs on."""
    root = ts(event, "thread_ts")
    return place(channel, root) if root != at else None


def _own(delivery: Delivery, ref: str | None) -> ChannelEvent:
    """We, a colleague or an app wrote. Ours carries our key: proof that it has left."""
    app, ours = _app(delivery.event), ident(delivery.outer, "api_app_id")
    if app is not None and ours is not None and app != ours:
        return delivery.unknown("another app")
    metadata = obj(delivery.event, "metadata")
    key = None
    if metadata.get("event_type") == blocks.METADATA_TYPE:
        key = uuid(obj(metadata, "event_payload").get("key"))
    return delivery.made("own_message", provider_ref=ref, message_id=key)


def _app(event: Mapping[str, Any]) -> str | None:
    return ident(event, "app_id") or ident(obj(event, "bot_profile"), "app_id")


def _reaction(delivery: Delivery) -> ChannelEvent:
    event, item = delivery.event, obj(delivery.event, "item")
    channel, at = ident(item, "channel"), ts(item, "ts")
    user, author = ident(event, "user"), ident(event, "item_user")
    ref = place(channel, at)
    if user is None or channel is None or ref is None:
        return delivery.unknown("not of a message")
    if delivery.by_us:
        return delivery.made("own_message", thread_ref=channel, provider_ref=ref)
    # In a direct message whatever the person did not write is ours.
    by_us = author in delivery.ours if delivery.ours else channel.startswith("D")
    if not by_us or author == user:
        return delivery.unknown("not of a message of ours")
    who = person(delivery.team, user)
    return delivery.made(
        "reaction",
        thread_ref=channel,
        address=who,
        user_ref=who,
        provider_ref=ref,
        text=token(event, "reaction") or "",
    )


def _accepted(delivery: Delivery) -> ChannelEvent:
    if delivery.event.get("approval_required") is not False:
        return delivery.unknown("accepted, and waiting for an approval")
    return _invitation(delivery, "acceptance")


def _approved(delivery: Delivery) -> ChannelEvent:
    if not others(delivery.event, delivery.workspace):
        return delivery.unknown("approved on our side only")
    return _invitation(delivery, "acceptance")


def _declined(delivery: Delivery) -> ChannelEvent:
    return _invitation(delivery, "declined")


def _invitation(delivery: Delivery, kind: EventKind) -> ChannelEvent:
    at = delivery.event.get("event_ts") or delivery.outer.get("event_time")
    return invite_event(kind, delivery.event, at, fallback=delivery.external_id)


def _link(delivery: Delivery) -> ChannelEvent:
    return delivery.made("link_preview")


def _revoked(delivery: Delivery) -> ChannelEvent:
    tokens = obj(delivery.event, "tokens")
    if tokens and not tokens.get("bot"):
        return delivery.unknown("tokens of users, which are not used")
    return _lost(delivery, "the bot's token was revoked: install the app again")


def _uninstalled(delivery: Delivery) -> ChannelEvent:
    return _lost(delivery, "the app was uninstalled from the workspace: install it again")


def _lost(delivery: Delivery, words: str) -> ChannelEvent:
    return delivery.made("account", account_ok=False, text=f"Slack: {words}")


_READERS: dict[str, Callable[[Delivery], ChannelEvent]] = {
    "message": _message,
    "reaction_added": _reaction,
    "shared_channel_invite_accepted": _accepted,
    "shared_channel_invite_approved": _approved,
    "shared_channel_invite_declined": _declined,
    "link_shared": _link,
    "tokens_revoked": _revoked,
    "app_uninstalled": _uninstalled,
}
