"""Reference 2.2 as three tables: every phase crossed with every outcome, through the real adapters.

`pytest -s tests/channels/test_matrix.py` prints the matrices. What is expected stands here in words
and is computed by nothing that the adapters use.
"""

import socket
from collections.abc import Mapping
from typing import Any

import pytest

from channels.base import NotSent, Refused, SendResult, Sent, Unknown
from channels.email.adapter import EmailChannel
from channels.linkedin.adapter import LinkedinChannel
from channels.slack import SlackChannel
from tests.channels import slack_server
from tests.channels.linkedin import server as linkedin_server
from tests.channels.linkedin.test_send import outbound
from tests.channels.make import account, message, passing
from tests.channels.sink import DROP, HANG, Sink
from tests.channels.sink import serving as sink_serving

Row = Mapping[str, str]  # outcome -> what it means

RETRY, REST, PAUSE = "retry", "retry, lane rests", "retry, account paused"
FAILED, SUPPRESS, DOUBT, SENT = "failed", "failed, address suppressed", "in doubt", "sent"


def meaning(result: SendResult) -> str:
    """A result in the words of the tables."""
    match result:
        case Sent():
            return SENT
        case Unknown():
            return DOUBT
        case Refused(bad_address=bad):
            return SUPPRESS if bad else FAILED
        case NotSent(lane=lane):
            return {"fine": RETRY, "park": REST, "pause": PAUSE}[lane]
    return "stopped"


def show(title: str, table: Mapping[str, Row], found: Mapping[tuple[str, str], str]) -> None:
    """The matrix, a line a phase and outcome, with what was not as specified marked."""
    print(f"\n{title}")
    for phase, row in table.items():
        for outcome, wanted in row.items():
            got = found[phase, outcome]
            mark = "" if got == wanted else f"   SPECIFIED: {wanted}"
            print(f"  {phase:<20} {outcome[:26]:<28} {got}{mark}")
    right = sum(found[phase, one] == row[one] for phase, row in table.items() for one in row)
    print(f"  {right} of {len(found)} as specified")


def differing(
    table: Mapping[str, Row], found: Mapping[tuple[str, str], str]
) -> dict[tuple[str, str], tuple[str, str]]:
    """(phase, outcome) -> (specified, found), where they differ."""
    wanted = {(phase, one): row[one] for phase, row in table.items() for one in row}
    return {key: (wanted[key], got) for key, got in found.items() if wanted[key] != got}


# --- SMTP: what is said instead of the answer that the phase waits for

LATER, CLOSING, FULL = "451 4.3.0 later", "421 4.3.2 closing", "552 5.2.2 mailbox full"
NOBODY, POLICY, PLAIN = "550 5.1.1 no such user", "550 5.7.1 not from you", "554 no"
GARBAGE, BARE, HUGE = "what?", "250", "250 " + "x" * 20_000

BEFORE_MAIL = dict.fromkeys((LATER, CLOSING, FULL, PLAIN, GARBAGE, HUGE, DROP, HANG), REST)
SMTP: dict[str, Row] = {
    "connect": BEFORE_MAIL,
    "ehlo": BEFORE_MAIL,
    "auth": {
        "535 5.7.8 wrong": PAUSE,
        "534 5.7.9 app password": PAUSE,
        "454 4.7.0 later": REST,
        **dict.fromkeys((CLOSING, GARBAGE, DROP, HANG), REST),
    },
    "mail": {
        **dict.fromkeys((LATER, CLOSING, FULL, HANG), REST),
        **dict.fromkeys((NOBODY, POLICY, PLAIN, "530 5.7.0 log in first"), PAUSE),
        **dict.fromkeys((GARBAGE, DROP), RETRY),
        BARE: SENT,
    },
    "rcpt": {
        **dict.fromkeys((LATER, FULL, "450 4.2.0 greylisted", "452 4.2.2 full"), RETRY),
        **dict.fromkeys((CLOSING, HANG), REST),
        **dict.fromkeys((GARBAGE, DROP), RETRY),
        **dict.fromkeys((NOBODY, "551 5.1.6 moved", "553 5.1.3 bad syntax"), SUPPRESS),
        **dict.fromkeys((POLICY, PLAIN, "550 5.1.8 sender's domain"), FAILED),
        "251 2.1.5 will forward": SENT,
        "530 5.7.0 log in first": PAUSE,
    },
    "data": {
        **dict.fromkeys((LATER, FULL, NOBODY, POLICY, PLAIN, BARE, GARBAGE, DROP), RETRY),
        **dict.fromkeys((CLOSING, HANG), REST),
    },
    "body": {
        **dict.fromkeys((LATER, "452 4.3.1 no space"), RETRY),
        CLOSING: REST,
        **dict.fromkeys((POLICY, PLAIN, FULL), FAILED),
        NOBODY: SUPPRESS,
        **dict.fromkeys((GARBAGE, DROP, HANG, "354 go on"), DOUBT),
        **dict.fromkeys((BARE, "250 2.0.0 queued as 7"), SENT),
    },
}


async def one_mail(phase: str, answer: str, *, pipelining: bool) -> tuple[SendResult, int, int]:
    """The result, how often the point of no return was asked for, and how many mails were taken."""
    channel = EmailChannel()
    login: dict[str, Any] = {"username": "kari", "secrets": {"password": "x"}}
    made = Sink(
        answers={phase: answer},
        auth=True,
        pipelining=pipelining,
        open_data=answer.startswith("251"),  # the sink takes what is scripted for a refusal
    )
    async with sink_serving(made) as sink:
        times = ("connect_timeout", "command_timeout", "data_timeout")
        patience = dict.fromkeys(times, 0.4 if answer == HANG else 10)
        sender = account(sink.port, **patience, **(login if phase == "auth" else {}))
        pass_point, asked = passing()
        result = await channel.send(sender, message(channel, sender), pass_point)
        await channel.close()
        return result, len(asked), len(sink.mails)


@pytest.mark.parametrize("pipelining", [True, False], ids=["pipelining", "one by one"])
async def test_smtp_is_as_specified(pipelining: bool) -> None:
    found: dict[tuple[str, str], str] = {}
    for phase, row in SMTP.items():
        for answer in row:
            result, asked, taken = await one_mail(phase, answer, pipelining=pipelining)
            found[phase, answer] = meaning(result)
            late = ("body",) if pipelining else ("data", "body")
            passed = phase in late or isinstance(result, Sent)
            assert asked == passed, (phase, answer, result)  # nothing is passed before its time
            assert isinstance(result, Sent | Unknown) or not taken, (phase, answer)
    show(f"SMTP, {'the envelope in one write' if pipelining else 'one by one'}", SMTP, found)
    assert differing(SMTP, found) == {}


async def test_nobody_listens_and_no_such_host() -> None:
    channel = EmailChannel()
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        for host in ("127.0.0.1", "no-such-host.invalid"):
            sender = account(closed.getsockname()[1], host=host, security="starttls")
            pass_point, asked = passing()
            result = await channel.send(sender, message(channel, sender), pass_point)
            assert (meaning(result), asked) == (REST, [])


# --- Slack: what a method answers

_EARLY = {
    "HTTP 429": REST,
    "ratelimited": REST,
    **dict.fromkeys(("fatal_error", "internal_error", "service_unavailable"), REST),
    **dict.fromkeys(("HTTP 500", "HTTP 502", "HTTP 503", "HTTP 504", "HTTP 408", "hang"), REST),
    **dict.fromkeys(("HTTP 404", "HTTP 302"), REST),
    **dict.fromkeys(("drop", "garbage"), RETRY),
    **dict.fromkeys(("invalid_auth", "account_inactive", "token_revoked", "token_expired"), PAUSE),
    **dict.fromkeys(("missing_scope", "not_authed"), PAUSE),
    **dict.fromkeys(("user_not_found", "users_not_found"), SUPPRESS),
    **dict.fromkeys(("cannot_dm_bot", "restricted_action"), FAILED),
    "ok": SENT,
}
SLACK: dict[str, Row] = {
    "users.lookupByEmail": _EARLY,
    "conversations.open": _EARLY,
    "chat.postMessage": {
        **_EARLY,
        **dict.fromkeys(("fatal_error", "internal_error", "service_unavailable"), DOUBT),
        **dict.fromkeys(("HTTP 500", "HTTP 502", "HTTP 503", "HTTP 504", "HTTP 408"), DOUBT),
        **dict.fromkeys(("drop", "hang", "garbage"), DOUBT),
        **dict.fromkeys(("channel_not_found", "is_archived", "not_in_channel"), FAILED),
        "msg_too_long": FAILED,
    },
}


def _slack_fault(outcome: str) -> dict[str, Any]:
    if outcome.startswith("HTTP "):
        status = int(outcome[5:])
        headers = {"Location": "https://example.org/"} if status == 302 else {}
        return {"status": status, "body": "<html>", "kind": "text/html", "headers": headers}
    if outcome == "garbage":
        return {"body": "not JSON"}
    return {outcome: True} if outcome in ("drop", "hang") else {"error": outcome}


async def test_slack_is_as_specified() -> None:
    found: dict[tuple[str, str], str] = {}
    for method, row in SLACK.items():
        for outcome in row:
            channel = SlackChannel()
            async with slack_server.serving(slack_server.FakeSlack()) as slack:
                if outcome != "ok":
                    slack.fail(method, **_slack_fault(outcome))
                sender = slack_server.slack_account(slack.port, timeout=slack.patience)
                pass_point, asked = passing()
                result = await channel.send(sender, message(channel, sender), pass_point)
                await channel.close()
                found[method, outcome] = meaning(result)
                assert len(asked) == (method == "chat.postMessage" or outcome == "ok")
                assert len(slack.called("chat.postMessage")) <= 1, "posted again by itself"
                assert isinstance(result, Sent) or not slack.posts
    show("Slack", SLACK, found)
    assert differing(SLACK, found) == {}


# --- HTTP, by the network of the LinkedIn kind

_JSON: dict[str, Any] = {"body": {}}
_HTTP_EARLY = {
    "ok": SENT,
    "refused": REST,
    **dict.fromkeys(("HTTP 401", "HTTP 403"), PAUSE),
    **dict.fromkeys(("HTTP 408", "HTTP 425", "HTTP 429"), REST),
    **dict.fromkeys(("HTTP 500", "HTTP 502", "HTTP 503", "HTTP 504"), REST),
    **dict.fromkeys(("drop", "hang"), REST),
    **dict.fromkeys(("HTTP 400", "HTTP 409", "HTTP 422"), FAILED),
    **dict.fromkeys(("HTTP 404", "HTTP 410"), SUPPRESS),
    "HTTP 301": PAUSE,
    "HTTP 400, no JSON": PAUSE,
}
_HTTP_LATE = {
    **_HTTP_EARLY,
    **dict.fromkeys(("HTTP 500", "HTTP 502", "HTTP 503", "HTTP 504"), DOUBT),
    **dict.fromkeys(("drop", "hang", "HTTP 301"), DOUBT),
    "HTTP 200, no JSON": SENT,
}
del _HTTP_LATE["refused"]
HTTP: dict[str, Row] = {
    "look-up": _HTTP_EARLY,
    "message": _HTTP_LATE,
    "invitation": _HTTP_LATE,
    # What is gone is the conversation, not the person.
    "chat": {**_HTTP_LATE, **dict.fromkeys(("HTTP 404", "HTTP 410"), FAILED)},
}
_ASKED = {
    "look-up": ("GET", "users", {}),
    "message": ("POST", "chats/send", {"user_ref": "u-1"}),
    "invitation": ("POST", "relation-requests", {"request": True, "user_ref": "u-1"}),
    "chat": ("POST", "messages/send", {"thread_ref": "chat-1"}),
}


def _http_fault(outcome: str) -> dict[str, Any]:
    if outcome in ("drop", "hang"):
        return {outcome: True}
    status, _, rest = outcome.removeprefix("HTTP ").partition(", ")
    return {"status": int(status), "body": b"<html>" if rest else b"{}"}


async def test_http_is_as_specified() -> None:
    found: dict[tuple[str, str], str] = {}
    for phase, row in HTTP.items():
        method, part, values = _ASKED[phase]
        for outcome in row:
            channel = LinkedinChannel()
            fake = linkedin_server.FakeUnipile()
            async with linkedin_server.serving(fake) as server:
                if outcome not in ("ok", "refused"):
                    server.fail(method, part, **_http_fault(outcome))
                port = 1 if outcome == "refused" else server.port
                pass_point, asked = passing()
                patience = 0.4 if outcome == "hang" else 10
                sender = linkedin_server.seat(port, connect_timeout=10, read_timeout=patience)
                result = await channel.send(sender, outbound(**values), pass_point)
                await channel.close()
                found[phase, outcome] = meaning(result)
                assert len(asked) == (phase != "look-up" or outcome == "ok"), (phase, outcome)
                assert len([one for one in server.seen if one[0] == "POST"]) <= 1
    show("HTTP", HTTP, found)
    assert differing(HTTP, found) == {}


@pytest.mark.parametrize("name", ["slack", "linkedin"])
async def test_nobody_listens_at_a_provider(name: str) -> None:
    """Refused before anything was written: safe, also where it is the post that is refused."""
    pass_point, asked = passing()
    if name == "slack":
        slack = SlackChannel()
        sender = slack_server.slack_account(1)
        said = message(slack, sender)
        result = await slack.send(sender, said, pass_point)
        await slack.close()
        assert asked == []
    else:
        network = LinkedinChannel()
        result = await network.send(
            linkedin_server.seat(1), outbound(thread_ref="chat-1"), pass_point
        )
        await network.close()
        assert len(asked) == 1
    assert meaning(result) == REST
