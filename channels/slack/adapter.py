"""The Slack channel: what is said by `blocks`, calls by `wire`, what they mean by `classify`."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from channels.base import (
    Account,
    Capabilities,
    ChannelEvent,
    Draft,
    NotSent,
    OutboundMessage,
    PassPoint,
    Refused,
    RequestPace,
    SendResult,
    Sent,
    Stopped,
    Unknown,
)
from channels.crash_points import point
from channels.slack import address, blocks, connect
from channels.slack.classify import classify
from channels.slack.settings import check_secrets, parse_settings, read_settings
from channels.slack.talk import Place, Talk, part, succeeded, word
from channels.slack.wire import Wire

_SCOPES = {
    "workspace": frozenset(
        {"chat:write", "im:history", "im:write", "users:read", "users:read.email"}
    ),
    "connect": frozenset(
        {
            "chat:write",
            "conversations.connect:manage",
            "conversations.connect:write",
            "groups:history",
            "groups:read",
            "groups:write",
        }
    ),
}
# Fifteen messages are what Slack gives at once to apps outside its marketplace.
_HISTORY = "15"
_HISTORY_PAGES = 4


class SlackChannel:
    """Direct messages by email address or user, or channels shared through Slack Connect.

    References: a conversation is its channel id (`thread_ref`), a message `channel:ts`
    (`provider_ref`), a person `workspace:user` (`user_ref`), an invitation its id (`request_ref`).
    """

    name = "slack"
    capabilities = Capabilities(
        threads=True,
        invitation=True,
        buttons=True,
        max_length=blocks.MAX_LENGTH,
        queryable=True,
        rate_scope="workspace",
    )

    def __init__(self) -> None:
        self._wire = Wire()

    def canonical(self, address_: str) -> str:
        """An email address in lower case, or `T…:U…` in upper case. Raises ValueError."""
        return address.canonical(address_)

    def freeze(self, account: Account, draft: Draft) -> bytes:
        """The arguments of the call, as JSON. Pure. Raises ValueError."""
        return blocks.freeze(account, draft)

    async def send(
        self, account: Account, message: OutboundMessage, pass_point: PassPoint
    ) -> SendResult:
        """Find the conversation, pass, and post once; or make a channel, pass, and invite once.

        Raises what `pass_point` raises, and CancelledError with the connection dropped.
        """
        try:
            talk = Talk(self._wire, account, read_settings(account))
            check_secrets(account.secrets)
            frozen = blocks.thaw(message.payload)
        except ValueError as error:
            return NotSent("settings", str(error)[:500], lane="pause")
        # Whoever was suppressed, checked and shown must be the one that is written to.
        if frozen.get("to") != message.recipient or message.request != ("request" in frozen):
            return Refused("address_mismatch", "the envelope and the message do not agree")
        if message.request:
            return await connect.invite(talk, message, frozen["request"]["name"], pass_point)
        return await _post(talk, message, frozen["post"], pass_point)

    async def find(self, account: Account, message: OutboundMessage) -> Sent | Unknown | None:
        """Look for our key in the conversation's metadata, or for the invitation."""
        try:
            talk = Talk(self._wire, account, read_settings(account))
            frozen = blocks.thaw(message.payload)
        except ValueError as error:
            return Unknown(str(error)[:500])
        if message.request:
            return await connect.find_invite(talk, frozen["request"]["name"])
        place = await talk.place(message)
        if not isinstance(place, Place):
            return Unknown(place.detail)
        return await _find(talk, place, message)

    def needs_request(self, account: Account) -> bool:
        """Whether the account reaches people through Slack Connect."""
        return account.settings.get("reach") == "connect"

    def request_limit(self, account: Account) -> int | None:
        """No note at all: Slack writes the invitation."""
        return 0

    def request_pace(self, account: Account) -> RequestPace:
        """From the settings. Raises ValueError."""
        found = read_settings(account)
        return RequestPace(
            found.daily_requests,
            found.weekly_requests,
            found.withdraw_after_days,
            found.ban_days,
        )

    async def withdraw(self, account: Account, request_ref: str) -> bool:
        """Archive the channel that was made for it, unless somebody came in. Raises ValueError."""
        talk = Talk(self._wire, account, read_settings(account))
        return await connect.withdraw(talk, request_ref)

    async def poll(self, account: Account, since: datetime) -> list[ChannelEvent]:
        """Answers to invitations. Raises OSError when Slack does not answer."""
        settings = read_settings(account)
        if settings.reach != "connect":
            return []
        return await connect.answers(Talk(self._wire, account, settings), since)

    def check_settings(self, settings: Mapping[str, Any], secrets: Mapping[str, str]) -> None:
        """Raises ValueError for settings that cannot work, naming the field."""
        parse_settings(dict(settings))
        check_secrets(secrets)

    async def check(self, account: Account) -> NotSent | None:
        """Ask Slack who we are: the token, its workspace and its scopes. Raises ValueError."""
        settings = read_settings(account)
        check_secrets(account.secrets)
        answer = await Talk(self._wire, account, settings).form("auth.test")
        if not succeeded(answer):
            failure = classify(answer, passed=False)
            return failure if isinstance(failure, NotSent) else _ill(failure.detail)
        team = word(answer.data, "team_id")
        if team not in (settings.workspace, None):
            return _ill(f"the token belongs to workspace {team}, not {settings.workspace}")
        missing = _SCOPES[settings.reach] - answer.scopes if answer.scopes is not None else ()
        if missing:
            names = ", ".join(sorted(missing))
            return NotSent("missing_scope", f"Slack: the app lacks {names}", lane="pause")
        return None

    async def close(self) -> None:
        """Drop every connection."""
        await self._wire.close()


def _ill(detail: str) -> NotSent:
    return NotSent("account", detail, lane="pause")


async def _post(
    talk: Talk, message: OutboundMessage, post: Mapping[str, Any], pass_point: PassPoint
) -> SendResult:
    place = await talk.place(message)
    if not isinstance(place, Place):
        return place
    if not await pass_point():
        return Stopped()
    point("http.before_post")
    posted = await talk.json("chat.postMessage", {**post, "channel": place.channel})
    point("http.after_answer")
    if not succeeded(posted):
        return classify(posted, passed=True)
    channel = word(posted.data, "channel") or place.channel
    ts = word(posted.data, "ts")
    return Sent(
        provider_ref=f"{channel}:{ts}" if ts else None,
        user_ref=place.user_ref,
        thread_ref=channel,
    )


async def _find(talk: Talk, place: Place, message: OutboundMessage) -> Sent | Unknown | None:
    """None only after the whole of the conversation since the message was made has been seen."""
    asked = {"channel": place.channel, "include_all_metadata": "true", "limit": _HISTORY}
    if message.message_id.version == 7:  # its first 48 bits are the time when it was made
        made = datetime.fromtimestamp((message.message_id.int >> 80) / 1000, UTC)
        asked["oldest"] = f"{(made - timedelta(hours=1)).timestamp():.6f}"
    for _ in range(_HISTORY_PAGES):
        page = await talk.form("conversations.history", **asked)
        if not succeeded(page):
            return Unknown(classify(page, passed=True).detail)
        found = page.data.get("messages")
        if not isinstance(found, list):
            return Unknown("conversations.history named no messages")
        for each in found:
            if isinstance(each, dict) and _key(each) == str(message.message_id):
                ref = f"{place.channel}:{each.get('ts')}"
                return Sent(ref, "found by its metadata", place.user_ref, place.channel)
        cursor = word(part(page.data, "response_metadata"), "next_cursor")
        if cursor is None:
            return Unknown("more history than Slack shows") if page.data.get("has_more") else None
        asked["cursor"] = cursor
    return Unknown(f"not among the newest messages, after {_HISTORY_PAGES} pages")


def _key(message: Mapping[str, Any]) -> str | None:
    metadata = part(message, "metadata")
    if metadata.get("event_type") != blocks.METADATA_TYPE:
        return None
    return word(part(metadata, "event_payload"), "key")
