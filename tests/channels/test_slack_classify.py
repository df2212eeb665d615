"""Every way in which a call of Slack's ends, before and after the point of no return."""

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from channels.base import NotSent, OutboundMessage, Refused, SendResult, Sent, Stopped, Unknown
from channels.slack import SlackChannel
from channels.slack.classify import Answer, Silence, classify
from tests.channels.make import message, passing
from tests.channels.slack_server import FakeSlack, serving, slack_account

EARLY = ("users.lookupByEmail", "conversations.open")
POST = "chat.postMessage"
ACCOUNT = (
    "invalid_auth",
    "not_authed",
    "account_inactive",
    "token_revoked",
    "token_expired",
    "missing_scope",
)
TARGET = ("channel_not_found", "is_archived", "not_in_channel", "cannot_dm_bot", "msg_too_long")


@pytest.fixture
async def slack() -> AsyncIterator[FakeSlack]:
    async with serving(FakeSlack()) as made:
        yield made


@pytest.fixture
async def channel() -> AsyncIterator[SlackChannel]:
    made = SlackChannel()
    yield made
    await made.close()


async def sent(slack: FakeSlack, channel: SlackChannel, **values: Any) -> tuple[SendResult, int]:
    """The result of a send, and how often it asked to pass."""
    account = slack_account(slack.port, timeout=slack.patience)
    pass_point, asked = passing()
    result = await channel.send(account, message(channel, account, **values), pass_point)
    return result, len(asked)


@pytest.mark.parametrize("method", EARLY)
@pytest.mark.parametrize("error", ACCOUNT)
async def test_before_the_point_an_ill_account_pauses_the_lane(
    slack: FakeSlack, channel: SlackChannel, method: str, error: str
) -> None:
    slack.fail(method, error=error, more={"needed": "im:write", "provided": "chat:write"})
    result, asked = await sent(slack, channel)
    assert isinstance(result, NotSent)
    assert (result.kind, result.lane, asked, slack.posts) == (error, "pause", 0, [])
    assert ("im:write" in result.detail) == (error == "missing_scope")


@pytest.mark.parametrize("error", ACCOUNT)
async def test_after_the_point_an_ill_account_pauses_the_lane(
    slack: FakeSlack, channel: SlackChannel, error: str
) -> None:
    slack.fail(POST, error=error, more={"needed": "chat:write"})
    result, asked = await sent(slack, channel)
    assert isinstance(result, NotSent)
    assert (result.kind, result.lane, asked) == (error, "pause", 1)


@pytest.mark.parametrize("method", [*EARLY, POST])
@pytest.mark.parametrize(
    ("fault", "wait"),
    [
        ({"error": "ratelimited", "status": 429, "headers": {"Retry-After": "17"}}, 17.0),
        ({"error": "ratelimited", "status": 429}, 30.0),
        ({"error": "ratelimited", "headers": {"Retry-After": "soon"}}, 30.0),
        ({"status": 429, "headers": {"Retry-After": "3"}, "body": "slow", "kind": "text/plain"}, 3),
        ({"status": 429, "headers": {"Retry-After": "4"}, "body": "<p>", "kind": "text/html"}, 4.0),
        ({"status": 429, "headers": {"Retry-After": "5"}, "body": "{"}, 5.0),
    ],
)
async def test_too_many_calls_park_the_lane_as_long_as_slack_says(
    slack: FakeSlack, channel: SlackChannel, method: str, fault: dict[str, Any], wait: float
) -> None:
    slack.fail(method, **fault)
    result, _ = await sent(slack, channel)
    assert isinstance(result, NotSent)
    assert (result.kind, result.retry_after, result.lane) == ("rate_limited", wait, "park")
    assert slack.posts == []


DOUBTFUL: list[dict[str, Any]] = [
    {"error": "fatal_error"},
    {"error": "internal_error"},
    {"error": "service_unavailable", "status": 503},
    {"status": 500, "body": "", "kind": "text/html"},
    {"status": 502, "body": "<h1>Bad gateway</h1>", "kind": "text/html"},
    {"status": 504, "body": "{"},
    {"error": "channel_not_found", "status": 500},
    {"drop": True},
    {"hang": True},
    {"body": "no JSON"},
    {"body": "[]"},
    {"body": "{}"},
    {"body": "ok", "kind": "text/plain"},
]


@pytest.mark.parametrize("acts", [True, False])
@pytest.mark.parametrize("fault", DOUBTFUL)
async def test_after_the_point_what_is_no_answer_is_unknown_and_not_repeated(
    slack: FakeSlack, channel: SlackChannel, fault: dict[str, Any], acts: bool
) -> None:
    slack.fail(POST, **fault, acts=acts)
    result, asked = await sent(slack, channel)
    assert isinstance(result, Unknown)
    assert (asked, len(slack.posts), len(slack.called(POST))) == (1, int(acts), 1)


@pytest.mark.parametrize("method", EARLY)
@pytest.mark.parametrize("fault", DOUBTFUL)
async def test_before_the_point_the_same_is_not_sent(
    slack: FakeSlack, channel: SlackChannel, method: str, fault: dict[str, Any]
) -> None:
    slack.fail(method, **fault)
    result, asked = await sent(slack, channel)
    assert isinstance(result, NotSent)
    assert result.lane != "pause"
    assert (asked, slack.posts) == (0, [])


@pytest.mark.parametrize("method", [*EARLY, POST])
@pytest.mark.parametrize("error", [*TARGET, "restricted_action", "a_word_of_next_year"])
async def test_a_no_about_this_conversation_is_for_good(
    slack: FakeSlack, channel: SlackChannel, method: str, error: str
) -> None:
    slack.fail(method, error=error)
    result, _ = await sent(slack, channel)
    assert isinstance(result, Refused)
    assert (result.kind, result.bad_address) == (error, False)


@pytest.mark.parametrize("method", [*EARLY, POST])
@pytest.mark.parametrize("error", ["user_not_found", "users_not_found", "user_disabled"])
async def test_nobody_there_is_a_bad_address(
    slack: FakeSlack, channel: SlackChannel, method: str, error: str
) -> None:
    slack.fail(method, error=error)
    result, _ = await sent(slack, channel)
    assert isinstance(result, Refused)
    assert result.bad_address


@pytest.mark.parametrize("sign", ["deleted", "is_bot"])
async def test_whoever_left_or_is_a_bot_is_not_written_to(
    slack: FakeSlack, channel: SlackChannel, sign: str
) -> None:
    slack.users["ola@prospect.example"] = {"id": "U1OLA", "team_id": "T0OURS", sign: True}
    result, asked = await sent(slack, channel)
    assert isinstance(result, Refused)
    assert (result.bad_address, asked) == (sign == "deleted", 0)


async def test_a_refused_connection_is_not_sent_even_after_the_point(
    channel: SlackChannel,
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    account = slack_account(port)
    frozen = message(channel, account)
    pass_point, asked = passing()
    early = await channel.send(account, frozen, pass_point)
    known = OutboundMessage(
        frozen.message_id, frozen.recipient, frozen.payload, "key", thread_ref="D1"
    )
    late = await channel.send(account, known, pass_point)
    for result in (early, late):
        assert isinstance(result, NotSent)
        assert (result.kind, result.lane) == ("connect", "park")
    assert len(asked) == 1


async def test_a_dropped_post_is_not_posted_again(slack: FakeSlack, channel: SlackChannel) -> None:
    account = slack_account(slack.port)  # waits for slack-sdk's own second attempt, if it came
    slack.fail(POST, drop=True, acts=True)
    result = await channel.send(account, message(channel, account), passing()[0])
    assert isinstance(result, Unknown)
    assert "dropped" in result.detail
    assert (len(slack.posts), len(slack.called(POST))) == (1, 1)


async def test_a_redirect_is_not_followed(slack: FakeSlack, channel: SlackChannel) -> None:
    where = f"http://127.0.0.1:{slack.port}/api/chat.postMessage"
    slack.fail(POST, status=307, headers={"Location": where}, body="", kind="text/html")
    result, _ = await sent(slack, channel)
    assert isinstance(result, NotSent)
    assert (result.kind, slack.posts, len(slack.called(POST))) == ("http_307", [], 1)


async def test_nothing_leaves_when_the_point_says_no(
    slack: FakeSlack, channel: SlackChannel
) -> None:
    account = slack_account(slack.port)
    result = await channel.send(account, message(channel, account), passing(False)[0])
    assert (result, slack.called(POST)) == (Stopped(), [])


async def test_one_lane_that_hangs_holds_no_other(slack: FakeSlack, channel: SlackChannel) -> None:
    ill, well = slack_account(slack.port), slack_account(slack.port)
    for _ in range(120):  # more than an aiohttp session lets out at once by itself
        slack.fail("users.lookupByEmail", hang=True)
    frozen = message(channel, ill)
    hanging = [asyncio.create_task(channel.send(ill, frozen, passing()[0])) for _ in range(120)]
    await asyncio.wait_for(slack.hanging(120), 5)
    result = await channel.send(well, message(channel, well), passing()[0])
    assert isinstance(result, Sent)
    for task in hanging:
        task.cancel()
    await asyncio.gather(*hanging, return_exceptions=True)


@pytest.mark.parametrize(
    ("settings", "secrets"), [({"workspace": "x"}, None), ({}, {"bot_token": ""})]
)
async def test_settings_that_cannot_work_pause_the_lane(
    channel: SlackChannel, settings: dict[str, Any], secrets: dict[str, str] | None
) -> None:
    good = slack_account(1)
    frozen = message(channel, good)
    bad = type(good)(
        *(UUID(int=1), "kari", good.address, "Kari"),
        {**good.settings, **settings},
        good.secrets if secrets is None else secrets,
    )
    result = await channel.send(bad, frozen, passing()[0])
    assert isinstance(result, NotSent)
    assert (result.kind, result.lane) == ("settings", "pause")


@pytest.mark.parametrize("passed", [True, False])
@pytest.mark.parametrize("status", [400, 401, 403, 404, 407, 413])
def test_whatever_stands_before_slack_never_sends(status: int, passed: bool) -> None:
    result = classify(Answer(status, ok=False), passed=passed)
    assert isinstance(result, NotSent)
    assert result.lane == "park"


def test_a_server_that_gave_up_waiting_may_have_heard() -> None:
    assert isinstance(classify(Answer(408, ok=False), passed=True), Unknown)
    assert isinstance(classify(Silence("connect", "x"), passed=True), NotSent)
