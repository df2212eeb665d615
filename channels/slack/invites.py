"""Invitations of Slack Connect, as events and as the list of them describe them. Pure."""

from collections.abc import Mapping
from typing import Any

from channels.base import ChannelEvent, EventKind
from channels.slack.values import ident, items, mailbox, moment, obj, person, token


def invite_event(
    kind: EventKind, external_id: str, about: Mapping[str, Any], at: object, **detail: str
) -> ChannelEvent:
    """An event about the invitation that `about` carries. `provider_ref` is the invitation's id."""
    invite = obj(about, "invite")
    user = obj(about, "accepting_user")
    return ChannelEvent(
        kind,
        external_id,
        occurred_at=moment(at),
        address=mailbox(invite.get("recipient_email")),
        user_ref=person(ident(user, "team_id"), ident(user, "id")),
        thread_ref=ident(obj(about, "channel"), "id"),
        provider_ref=ident(invite, "id"),
        detail=detail,
    )


def accepted(entry: Mapping[str, Any]) -> ChannelEvent | None:
    """The acceptance in an entry of conversations.listConnectInvites, once nobody has to approve
    it any more."""
    invite_id = ident(obj(entry, "invite"), "id")
    if invite_id is None or token(entry, "direction") == "incoming":
        return None
    for each in items(entry, "acceptances"):
        if token(each, "approval_status") == "approved":
            about = {**entry, "accepting_user": _who(each)}
            at = each.get("date_accepted") or entry.get("date_last_updated")
            return invite_event("acceptance", f"invite:{invite_id}:accepted", about, at)
    return None


def declined(entry: Mapping[str, Any]) -> ChannelEvent | None:
    """The refusal in such an entry."""
    invite_id = ident(obj(entry, "invite"), "id")
    if invite_id is None or token(entry, "direction") == "incoming":
        return None
    if token(entry, "status") != "declined":
        return None
    at = entry.get("date_last_updated")
    return invite_event("declined", f"invite:{invite_id}:declined", entry, at)


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
