"""One conversation with Slack on behalf of one account, and finding where a person is spoken to."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from channels.base import Account, NotSent, OutboundMessage, Refused, Unknown
from channels.slack.address import is_user, user_of
from channels.slack.classify import Answer, Silence, classify
from channels.slack.settings import SlackSettings
from channels.slack.wire import Wire

Failure = NotSent | Refused | Unknown


@dataclass(frozen=True, slots=True)
class Place:
    """A conversation with somebody."""

    channel: str
    user_ref: str | None = None


@dataclass(frozen=True, slots=True)
class Talk:
    """An account and its settings, on the wire."""

    wire: Wire
    account: Account
    settings: SlackSettings

    async def form(self, method: str, **values: str) -> Answer | Silence:
        """A call with form fields, which every method takes."""
        return await self.wire.call(self.account, self.settings, method, form=values)

    async def json(self, method: str, body: Mapping[str, Any]) -> Answer | Silence:
        """A call with a JSON body, which methods that write take."""
        return await self.wire.call(self.account, self.settings, method, body=body)

    async def place(self, message: OutboundMessage) -> Place | Failure:
        """Where `message` goes. Nothing that a person would notice happens here."""
        if message.thread_ref is not None:
            return Place(message.thread_ref, message.user_ref)
        if self.settings.reach == "connect":
            return NotSent("not_accepted", "nobody has accepted a channel with this person yet")
        user_ref = message.user_ref or message.recipient
        if not is_user(user_ref):
            found = await self._look_up(message.recipient)
            if not isinstance(found, str):
                return found
            user_ref = found
        opened = await self.form("conversations.open", users=user_of(user_ref))
        if not succeeded(opened):
            return classify(opened, passed=False)
        channel = word(part(opened.data, "channel"), "id")
        if channel is None:
            return NotSent("unreadable", "conversations.open named no channel")
        return Place(channel, user_ref)

    async def _look_up(self, email: str) -> str | Failure:
        """The user_ref of `email`."""
        found = await self.form("users.lookupByEmail", email=email)
        if not succeeded(found):
            return classify(found, passed=False)
        user = part(found.data, "user")
        user_ref = f"{word(user, 'team_id') or self.settings.workspace}:{word(user, 'id') or ''}"
        if user.get("deleted") is True:
            return Refused("bad_address", "Slack: this user was deactivated", bad_address=True)
        if user.get("is_bot") is True:
            return Refused("cannot_dm_bot", "Slack: this address belongs to a bot")
        if not is_user(user_ref):
            return NotSent("unreadable", "users.lookupByEmail named no user")
        return user_ref


def succeeded(outcome: Answer | Silence) -> TypeGuard[Answer]:
    """Whether Slack said ok."""
    return isinstance(outcome, Answer) and outcome.ok


def part(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The object `name` within an answer; empty where there is none."""
    found = values.get(name)
    return found if isinstance(found, dict) else {}


def word(values: Mapping[str, Any], name: str) -> str | None:
    """The string `name` within an answer; None where there is none."""
    found = values.get(name)
    return found if isinstance(found, str) and found else None
