"""Invitations of Slack Connect, as events and as the list of them describe them. Pure."""

from collections.abc import Mapping
from typing import Any

from channels.base import ChannelEvent, EventKind
from channels.slack.values import ident, items, mailbox, moment, obj, person, token


def invite_event(
    kind: EventKind, about: Mapping[str, Any], at: object, *, fallback: str = ""
) -> ChannelEvent:
    """What became of the invitation that `about` carries. `provider_ref` is the invitation's id.

    An invitation is answered once, so its id makes the event's: however often and by whatever way
    it is told, it is the same event. `fallback` is the id where it names no invitation.
    """
    invite = obj(about, "invite")
    user, invite_id = obj(about, "accepting_user"), ident(invite, "id")
    return ChannelEvent(
        kind,
        f"invite:{invite_id}:{kind}" if invite_id else fallback,
        occurred_at=moment(at),
        address=mailbox(invite.get("recipient_email")),
        user_ref=person(ident(user, "team_id"), ident(user, "id")),
        thread_ref=ident(obj(about, "channel"), "id"),
        provider_ref=invite_id,
        detail={"request_ref": invite_id} if invite_id else {},
    )


def accepted(entry: Mapping[str, Any]) -> ChannelEvent | None:
    """The acceptance in an entry of conversations.listConnectInvites, once nobody has to approve
    it any more."""
    if ident(obj(entry, "invite"), "id") is None or token(entry, "direction") == "incoming":
        return None
    for each in items(entry, "acceptances"):
        if token(each, "approval_status") == "approved":
            about = {**entry, "accepting_user": _who(each)}
            at = each.get("date_accepted") or entry.get("date_last_updated")
            return invite_event("acceptance", about, at)
    return None


def declined(entry: Mapping[str, Any]) -> ChannelEvent | None:
    """The refusal in such an entry."""
    if ident(obj(entry, "invite"), "id") is None or token(entry, "direction") == "incoming":
        return None
    if token(entry, "status") != "declined":
        return None
    at = entry.get("date_last_updated")
    return invite_event("declined", entry, at)


def _who(acceptance: Mapping[str, Any]) -> Mapping[str, Any]:
    user, team = obj(acceptance, "accepting_user"), obj(acceptance, "accepting_team")
    return {**user, "team_id": ident(user, "team_id") or ident(team, "id")}


def others(about: Mapping[str, Any], workspace: str) -> bool:
    """Whether somebody else's workspace is in the channel, as far as the event says who is."""
    found = about.get("teams_in_channel")
    if not isinstance(found, list) or not found:
        return True
    named = {each if isinstance(each, str) else ident(each, "id") or workspace for each in found}
    return bool(named - {workspace})
