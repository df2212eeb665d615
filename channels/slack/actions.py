"""Interactivity: the buttons of our messages. Pure; raises nothing for any body."""

from collections.abc import Mapping
from typing import Any

from channels.base import Account, ChannelEvent
from channels.slack.blocks import CHOICES
from channels.slack.values import ident, items, moment, obj, person, place, token, ts, uuid


def read(body: Mapping[str, Any], account: Account, fallback: str) -> list[ChannelEvent]:
    """One event for each action; an unknown one where there is none."""
    found = [_action(body, each, account, fallback) for each in items(body, "actions")]
    return found or [ChannelEvent("unknown", fallback, detail={"why": "no action"})]


def _action(
    body: Mapping[str, Any], action: Mapping[str, Any], account: Account, fallback: str
) -> ChannelEvent:
    """A button when it is one of ours, and not pressed by one of us."""
    container = obj(body, "container")
    channel = ident(container, "channel_id") or ident(obj(body, "channel"), "id")
    at = ts(container, "message_ts") or ts(obj(body, "message"), "ts")
    user, team, by_us = _who(body, account)
    name, pressed = token(action, "action_id"), token(action, "action_ts")
    message_id, choice = uuid(action.get("value")), CHOICES.get(name or "")
    known = user is not None and message_id is not None and choice is not None
    return ChannelEvent(
        ("own_message" if by_us else "button") if known else "unknown",
        f"action:{pressed}:{channel}:{at}:{user}:{name}"
        if pressed and user
        else f"{fallback}:{name}",
        occurred_at=moment(pressed),
        address=person(team, user),
        user_ref=person(team, user),
        thread_ref=channel,
        provider_ref=place(channel, at),
        message_id=message_id if known else None,
        choice=choice if known and not by_us else None,
        detail={"type": "block_actions", "action": name or ""},
    )


def _who(body: Mapping[str, Any], account: Account) -> tuple[str | None, str | None, bool]:
    """User and workspace of whoever pressed, and whether that is one of us."""
    user = ident(obj(body, "user"), "id")
    team = ident(obj(body, "user"), "team_id")
    shared = account.settings.get("reach") == "connect"
    if team is None and not shared:
        team = ident(obj(body, "team"), "id")
    by_us = user in (account.settings.get("colleagues") or ())
    return user, team, by_us or (shared and team == account.settings.get("workspace"))
