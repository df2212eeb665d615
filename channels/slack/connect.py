"""Slack Connect: a private channel, and the invitation of one person elsewhere to it.

No cold message exists between workspaces: the acceptance is the permission, and the message waits
for it in the channel that was made for the two.
"""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any

from channels.base import (
    ChannelEvent,
    OutboundMessage,
    PassPoint,
    Refused,
    SendResult,
    Sent,
    Stopped,
    Unknown,
)
from channels.crash_points import point
from channels.slack.address import is_user, user_of
from channels.slack.classify import Answer, Silence, classify
from channels.slack.invites import accepted, declined
from channels.slack.talk import Failure, Talk, part, succeeded, word

_PAGES = 20
_PAGE = "200"


class Unanswered(Exception):
    """A list that Slack did not give; `outcome` is what it did instead."""

    def __init__(self, outcome: Answer | Silence) -> None:
        super().__init__()
        self.outcome = outcome

    def result(self, *, passed: bool) -> Failure:
        """What that means."""
        return classify(self.outcome, passed=passed)


async def invite(
    talk: Talk, message: OutboundMessage, name: str, pass_point: PassPoint
) -> SendResult:
    """Make the channel or find the one of an earlier attempt, then invite one person to it."""
    channel = await _channel(talk, name)
    if not isinstance(channel, str):
        return channel
    if is_user(message.recipient):
        whom = {"user_ids": user_of(message.recipient)}
    else:
        whom = {"emails": message.recipient}
    if not await pass_point():
        return Stopped()
    point("http.before_post")
    invited = await talk.form(
        "conversations.inviteShared", channel=channel, external_limited="true", **whom
    )
    point("http.after_answer")
    if not succeeded(invited):
        return classify(invited, passed=True)
    return _invited(word(invited.data, "invite_id"), channel)


async def find_invite(talk: Talk, name: str) -> Sent | Unknown | None:
    """Whether the invitation to the channel `name` left: no channel, or none to it, is a no."""
    try:
        channel = await _find_channel(talk, name)
        if channel is None:
            return None
        channel_id = word(channel, "id") or ""
        async for entry in _invites(talk):
            if word(part(entry, "channel"), "id") == channel_id:
                return _invited(word(part(entry, "invite"), "id"), channel_id)
    except Unanswered as error:
        return Unknown(error.result(passed=True).detail)
    shared = ("is_ext_shared", "is_pending_ext_shared")
    if any(channel.get(sign) is True for sign in shared):
        return _invited(None, channel_id)
    return None


async def withdraw(talk: Talk, invite_id: str) -> bool:
    """Archive the channel of an invitation that nobody has answered: nobody can come in any more.

    Slack has no call that takes an invitation back, and lets it expire after 14 days.
    """
    try:
        async for entry in _invites(talk):
            if word(part(entry, "invite"), "id") != invite_id:
                continue
            channel = word(part(entry, "channel"), "id")
            if channel is None or entry.get("acceptances"):
                return False
            gone = await talk.form("conversations.archive", channel=channel)
            return succeeded(gone) or (
                isinstance(gone, Answer) and gone.error == "already_archived"
            )
    except Unanswered:
        pass
    return False


async def answers(talk: Talk, since: datetime) -> list[ChannelEvent]:
    """Acceptances and refusals since then. Raises OSError when Slack does not answer."""
    found: list[ChannelEvent] = []
    try:
        async for entry in _invites(talk):
            event = accepted(entry) or declined(entry)
            if event is not None and (event.occurred_at is None or event.occurred_at >= since):
                found.append(event)
    except Unanswered as error:
        raise OSError(error.result(passed=False).detail) from None
    return found


def _invited(invite_id: str | None, channel: str) -> Sent:
    return Sent(provider_ref=invite_id, thread_ref=channel, request_ref=invite_id)


async def _channel(talk: Talk, name: str) -> str | Failure:
    made = await talk.form("conversations.create", name=name, is_private="true")
    if succeeded(made):
        found: Mapping[str, Any] | None = part(made.data, "channel")
    elif isinstance(made, Answer) and made.error == "name_taken":
        try:
            found = await _find_channel(talk, name)
        except Unanswered as error:
            return error.result(passed=False)
    else:
        return classify(made, passed=False)
    channel = word(found or {}, "id")
    if found is None or channel is None:
        return Refused("name_taken", f"Slack: a channel `{name}` exists and is not to be seen")
    if found.get("is_archived") is True:
        return Refused("is_archived", f"Slack: the channel `{name}` was archived")
    return channel


async def _find_channel(talk: Talk, name: str) -> Mapping[str, Any] | None:
    """Our channel of this name. Raises Unanswered."""
    async for channel in _pages(talk, "conversations.list", "channels", types="private_channel"):
        if channel.get("name") == name:
            return channel
    return None


def _invites(talk: Talk) -> AsyncIterator[Mapping[str, Any]]:
    return _pages(talk, "conversations.listConnectInvites", "invites", count=_PAGE)


async def _pages(
    talk: Talk, method: str, name: str, **values: str
) -> AsyncIterator[Mapping[str, Any]]:
    """Every object of a paged list. Raises Unanswered, also for a list without an end."""
    cursor = ""
    for _ in range(_PAGES):
        page = await talk.form(
            method, limit=_PAGE, **values, **({"cursor": cursor} if cursor else {})
        )
        if not succeeded(page):
            raise Unanswered(page)
        entries = page.data.get(name)
        for entry in entries if isinstance(entries, list) else []:
            if isinstance(entry, dict):
                yield entry
        following = word(part(page.data, "response_metadata"), "next_cursor")
        cursor = following or word(page.data, "next_cursor") or ""
        if not cursor:
            return
    raise Unanswered(Silence("unreadable", f"{method}: more than {_PAGES} pages"))
