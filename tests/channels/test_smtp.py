"""Every phase and every outcome of an SMTP transaction, against a real conversation."""

import asyncio
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest

from channels.base import NotSent, OutboundMessage, Refused, SendResult, Sent, Stopped, Unknown
from channels.email.adapter import EmailChannel
from tests.channels.make import account, certificate, message, passing
from tests.channels.sink import DROP, HANG, Sink, serving


@pytest.fixture(autouse=True, params=[False, True], ids=["one-by-one", "pipelined"])
def pipelined(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Every test talks to a server that takes a command at a time, and to one that takes more."""
    monkeypatch.setattr(Sink, "announces_pipelining", request.param)
    return bool(request.param)


async def send_to(sink: Sink, **settings: Any) -> tuple[SendResult, int]:
    """One mail into `sink`: the result, and how often the point of no return was asked for."""
    channel = EmailChannel()
    sender = account(sink.port, **settings)
    pass_point, asked = passing()
    try:
        return await channel.send(sender, message(channel, sender), pass_point), len(asked)
    finally:
        await channel.close()


SAFE = [
    ("connect", "554 go away", "connect", "park"),
    ("connect", "421 too busy", "connect", "park"),
    ("connect", DROP, "connect", "park"),
    ("connect", HANG, "connect", "park"),
    ("ehlo", "550 no", "connect", "park"),
    ("ehlo", DROP, "connect", "park"),
    ("ehlo", HANG, "connect", "park"),
    ("mail", "451 4.3.0 later", "deferred", "park"),
    ("mail", "421 4.7.0 too many connections", "closing", "park"),
    ("mail", "553 5.7.1 sender not owned", "sender_refused", "pause"),
    ("mail", "530 5.7.0 log in first", "sender_refused", "pause"),
    ("mail", DROP, "dropped", "fine"),
    ("mail", HANG, "timeout", "park"),
    ("rcpt", "450 4.2.0 greylisted, try again later", "greylisted", "fine"),
    ("rcpt", "451 4.7.1 rate limit exceeded", "rate_limited", "fine"),
    ("rcpt", "421 4.4.2 closing", "closing", "park"),
    ("rcpt", "452 4.2.2 mailbox full", "deferred", "fine"),
    ("rcpt", "552 5.2.2 mailbox full", "deferred", "fine"),
    ("rcpt", "530 5.7.0 log in first", "auth", "pause"),
    ("rcpt", DROP, "dropped", "fine"),
    ("rcpt", HANG, "timeout", "park"),
]
SAFE_AFTER_PASSING = [
    ("data", "451 4.3.0 later", "data", "fine"),
    ("data", "421 4.3.2 closing", "data", "park"),
    ("data", "554 5.5.1 no", "data", "fine"),
    ("data", DROP, "data", "fine"),
    ("data", HANG, "data", "park"),
    ("body", "451 4.3.0 later", "deferred", "fine"),
    ("body", "421 4.3.2 closing", "closing", "park"),
]


@pytest.mark.parametrize(("step", "answer", "kind", "lane"), SAFE)
async def test_nothing_is_passed_when_an_early_step_fails(
    step: str, answer: str, kind: str, lane: str
) -> None:
    async with serving(Sink(answers={step: answer})) as sink:
        result, asked = await send_to(sink)
    assert isinstance(result, NotSent)
    assert (result.kind, result.lane, asked) == (kind, lane, 0)
    assert sink.mails == []


@pytest.mark.parametrize(("step", "answer", "kind", "lane"), SAFE_AFTER_PASSING)
async def test_a_definite_no_to_data_or_body_is_not_sent(
    step: str, answer: str, kind: str, lane: str, pipelined: bool
) -> None:
    async with serving(Sink(answers={step: answer})) as sink:
        result, asked = await send_to(sink)
    assert isinstance(result, NotSent)
    # With the envelope in one write the answer to DATA is there before anybody is asked.
    assert (result.kind, result.lane, asked) == (kind, lane, step == "body" or not pipelined)


REFUSED = [
    ("rcpt", "550 5.1.1 no such user", "bad_address", True),
    ("rcpt", "550 5.1.10 null mx", "bad_address", True),
    ("rcpt", "551 5.1.6 moved", "bad_address", True),
    ("rcpt", "553 5.1.3 bad syntax", "bad_address", True),
    ("rcpt", "550 User unknown", "bad_address", True),
    ("rcpt", "550 5.1.8 your domain does not exist", "refused", False),
    ("rcpt", "550 5.7.1 blocked by policy", "policy", False),
    ("rcpt", "554 5.7.1 relay access denied", "policy", False),
    ("rcpt", "550 blocked, see our page", "refused", False),
    ("rcpt", "550 5.2.1 mailbox disabled", "refused", False),
    ("body", "554 5.6.0 spam", "content", False),
    ("body", "550 5.7.1 spam", "content", False),
    ("body", "550 5.1.1 no such user", "bad_address", True),
]


@pytest.mark.parametrize(("step", "answer", "kind", "bad_address"), REFUSED)
async def test_a_refusal_suppresses_an_address_only_when_it_names_one(
    step: str, answer: str, kind: str, bad_address: bool
) -> None:
    async with serving(Sink(answers={step: answer})) as sink:
        result, _ = await send_to(sink)
    assert isinstance(result, Refused)
    assert (result.kind, result.bad_address) == (kind, bad_address)


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("answer", [DROP, HANG, "garbage", "354 again"])
async def test_silence_after_the_final_dot_is_unknown(answer: str, keep: bool) -> None:
    async with serving(Sink(answers={"body": answer}, keep=keep)) as sink:
        result, asked = await send_to(sink)
    assert isinstance(result, Unknown)
    assert asked == 1
    assert len(sink.mails) == keep


async def test_nobody_listening_is_not_sent() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        result, asked = await send_to(Sink(port=taken.getsockname()[1]))
    assert isinstance(result, NotSent)
    assert (result.kind, result.lane, asked) == ("connect", "park", 0)


async def test_a_mail_arrives_as_it_was_frozen() -> None:
    channel = EmailChannel()
    async with serving(Sink()) as sink:
        sender = account(sink.port)
        frozen = message(channel, sender)
        result = await channel.send(sender, frozen, passing()[0])
        await channel.close()
    assert isinstance(result, Sent)
    [mail] = sink.mails
    assert mail.data == frozen.payload
    assert (mail.sender, mail.recipients) == ("kari@sender.example", ["ola@prospect.example"])


async def test_bounces_come_back_with_the_token_of_the_message() -> None:
    channel = EmailChannel()
    token = "abcdefgh234567abcdefgh234567abcdefgh234567"
    async with serving(Sink()) as sink:
        sender = account(sink.port, address_tokens=True)
        frozen = message(channel, sender, reply_token=token)
        assert isinstance(await channel.send(sender, frozen, passing()[0]), Sent)
        await channel.close()
    assert sink.mails[0].sender == f"kari+b.{token}@sender.example"
    assert f"<kari+r.{token}@sender.example>".encode() in frozen.payload


async def test_stopped_leaves_nothing(pipelined: bool) -> None:
    channel = EmailChannel()
    async with serving(Sink()) as sink:
        sender = account(sink.port)
        stopped = await channel.send(sender, message(channel, sender), passing(False)[0])
        sent = await channel.send(sender, message(channel, sender), passing()[0])
        await channel.close()
    assert stopped == Stopped()
    assert isinstance(sent, Sent)
    # A DATA that was answered ends with its mail or with the connection (RFC 5321 4.1.1.4).
    assert (len(sink.mails), sink.connections) == (1, 1 + pipelined)
    assert (b"RSET" in sink.lines()) is not pipelined
    assert not sink.cut_off


ADDRESSES = [
    "Foo <victim@x.io>@evil.io",
    "b@x.io>\r\nRCPT TO:<c@y.io",
    "a@x.io SIZE=1",
    "b@x.io, c@y.io",
    "b@x.io\n",
    "OLA@prospect.example",
    '"a b"@x.io',
    "a(comment)@x.io",
]


@pytest.mark.parametrize("address", ADDRESSES)
async def test_no_parser_stands_between_the_stored_address_and_the_envelope(address: str) -> None:
    channel = EmailChannel()
    async with serving(Sink()) as sink:
        sender = account(sink.port)
        frozen = message(channel, sender)
        crooked = OutboundMessage(frozen.message_id, address, frozen.payload, "key")
        pass_point, asked = passing()
        result = await channel.send(sender, crooked, pass_point)
        await channel.close()
    assert isinstance(result, Refused)
    assert (asked, sink.mails, sink.connections) == ([], [], 0)


async def test_envelope_and_header_name_the_same_person() -> None:
    channel = EmailChannel()
    async with serving(Sink()) as sink:
        sender = account(sink.port)
        frozen = message(channel, sender)
        other = OutboundMessage(frozen.message_id, "eva@prospect.example", frozen.payload, "key")
        result = await channel.send(sender, other, passing()[0])
        await channel.close()
    assert isinstance(result, Refused)
    assert result.kind == "address_mismatch"


# --- encryption


def context_of(folder: Path) -> tuple[ssl.SSLContext, str]:
    public, private = certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(private)
    return context, str(public)


LOGIN: dict[str, Any] = {"username": "kari", "secrets": {"password": "canary"}}


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_login_goes_through_verified_tls(tmp_path: Path, security: str) -> None:
    context, public = context_of(tmp_path)
    async with serving(Sink(tls=context, implicit_tls=security == "tls", auth=True)) as sink:
        result, _ = await send_to(sink, security=security, ca_file=public, **LOGIN)
    assert isinstance(result, Sent)
    assert any(line.startswith(b"AUTH PLAIN") for line in sink.lines())


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_an_unknown_certificate_is_refused(tmp_path: Path, security: str) -> None:
    context, _ = context_of(tmp_path)
    async with serving(Sink(tls=context, implicit_tls=security == "tls", auth=True)) as sink:
        result, asked = await send_to(sink, security=security, **LOGIN)
    assert isinstance(result, NotSent)
    assert (result.kind, result.lane, asked) == ("certificate", "park", 0)
    assert b"AUTH" not in sink.heard


async def test_a_stripped_starttls_gets_no_password(tmp_path: Path) -> None:
    context, public = context_of(tmp_path)
    async with serving(Sink(tls=context, offer_starttls=False, auth=True)) as sink:
        result, asked = await send_to(sink, security="starttls", ca_file=public, **LOGIN)
    assert isinstance(result, NotSent)
    assert (result.kind, asked) == ("no_starttls", 0)
    assert b"AUTH" not in sink.heard
    assert b"MAIL" not in sink.heard


@pytest.mark.parametrize(
    ("answer", "kind", "lane"),
    [
        ("535 5.7.8 wrong", "auth", "pause"),
        ("534 5.7.9 use an app password", "auth", "pause"),
        ("454 4.7.0 later", "auth_later", "park"),
        (DROP, "auth_later", "park"),
        (HANG, "auth_later", "park"),
    ],
)
async def test_one_refused_login_is_enough(answer: str, kind: str, lane: str) -> None:
    async with serving(Sink(answers={"auth": answer}, auth=True)) as sink:
        result, asked = await send_to(sink, **LOGIN)
    assert isinstance(result, NotSent)
    assert (result.kind, result.lane, asked) == (kind, lane, 0)
    assert sum(line.startswith(b"AUTH") for line in sink.lines()) == 1
    assert "canary" not in result.detail


async def test_a_password_is_never_set_up_for_plaintext_elsewhere() -> None:
    channel = EmailChannel()
    with pytest.raises(ValueError, match="never goes out in clear"):
        channel.check_settings(
            {"host": "mx.sender.example", "security": "plain_without_encryption", "username": "k"},
            {"password": "x"},
        )


# --- what happens to a connection after trouble


async def test_a_cancelled_send_never_talks_into_the_next_one() -> None:
    channel = EmailChannel()
    async with serving(Sink(answers={"body": HANG}, keep=True)) as sink:
        sender = account(sink.port, data_timeout=30)
        first = asyncio.create_task(
            channel.send(sender, message(channel, sender, subject="first"), passing()[0])
        )
        await asyncio.wait_for(sink.kept.wait(), 5)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        sink.answers.clear()
        second = message(channel, sender, subject="second")
        assert isinstance(await channel.send(sender, second, passing()[0]), Sent)
        await channel.close()
    assert [mail.data for mail in sink.mails][1:] == [second.payload]
    assert sink.connections == 2


async def test_an_exception_at_the_point_of_no_return_sends_nothing() -> None:
    channel = EmailChannel()

    async def broken() -> bool:
        raise RuntimeError("the outcome of the commit is not known")

    async with serving(Sink()) as sink:
        sender = account(sink.port)
        with pytest.raises(RuntimeError):
            await channel.send(sender, message(channel, sender), broken)
        assert isinstance(await channel.send(sender, message(channel, sender), passing()[0]), Sent)
        await channel.close()
    assert (len(sink.mails), sink.connections) == (1, 2)


async def test_a_refused_recipient_does_not_cost_the_connection() -> None:
    channel = EmailChannel()
    async with serving(Sink(answers={"rcpt": "550 5.1.1 no"})) as sink:
        sender = account(sink.port)
        assert isinstance(
            await channel.send(sender, message(channel, sender), passing()[0]), Refused
        )
        sink.answers.clear()
        assert isinstance(await channel.send(sender, message(channel, sender), passing()[0]), Sent)
        await channel.close()
    assert sink.connections == 1


async def test_a_data_that_nobody_gets_is_left_by_hanging_up() -> None:
    channel = EmailChannel()
    async with serving(Sink(answers={"rcpt": "550 5.1.1 no"}, open_data=True)) as sink:
        sender = account(sink.port)
        refused = await channel.send(sender, message(channel, sender), passing()[0])
        sink.answers.clear()
        sent = await channel.send(sender, message(channel, sender), passing()[0])
        await channel.close()
    assert isinstance(refused, Refused)
    assert isinstance(sent, Sent)
    assert [mail.recipients for mail in sink.mails] == [["ola@prospect.example"]]


@pytest.mark.parametrize("extra", ["250 2.0.0 twice", "421 4.4.2 idle", "what", "250-more"])
async def test_a_line_that_nobody_asked_for_is_no_answer_to_the_next_mail(extra: str) -> None:
    """250 for a mail that is refused would be a mail that is lost (L3)."""
    channel = EmailChannel()
    async with serving(Sink(answers={"body": f"250 2.0.0 queued\r\n{extra}"})) as sink:
        sender = account(sink.port)
        assert isinstance(await channel.send(sender, message(channel, sender), passing()[0]), Sent)
        sink.answers["body"] = "554 5.7.1 not this one"
        second = await channel.send(sender, message(channel, sender), passing()[0])
        await channel.close()
    assert isinstance(second, Refused | NotSent)
    assert len(sink.mails) == 1


async def test_a_connection_that_died_in_the_pool_is_replaced_unseen() -> None:
    channel = EmailChannel()
    async with serving(Sink()) as sink:
        sender = account(sink.port)
        await channel.send(sender, message(channel, sender), passing()[0])
        sink.once["mail"] = DROP
        result = await channel.send(sender, message(channel, sender), passing()[0])
        await channel.close()
    assert isinstance(result, Sent)
    assert (len(sink.mails), sink.connections) == (2, 2)


async def test_connections_are_recycled_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("channels.email.pool.MAX_MAILS", 3)
    channel = EmailChannel()
    async with serving(Sink()) as sink:
        sender = account(sink.port, connections=2)
        sends = [channel.send(sender, message(channel, sender), passing()[0]) for _ in range(12)]
        results = await asyncio.gather(*sends)
        await channel.close()
    assert all(isinstance(result, Sent) for result in results)
    assert sink.connections == 4
    assert sink.heard.count(b"QUIT") == 4


async def test_an_idle_connection_is_probed_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("channels.email.pool.PROBE_AFTER", -1.0)
    channel = EmailChannel()
    async with serving(Sink()) as sink:
        sender = account(sink.port)
        await channel.send(sender, message(channel, sender), passing()[0])
        sink.answers["noop"] = "451 not now"
        await channel.send(sender, message(channel, sender), passing()[0])
        await channel.close()
    assert (sink.heard.count(b"NOOP"), sink.connections, len(sink.mails)) == (1, 2, 2)


async def test_a_new_password_gets_a_new_connection() -> None:
    channel = EmailChannel()
    async with serving(Sink(auth=True)) as sink:
        sender = account(sink.port, username="kari", secrets={"password": "old"})
        await channel.send(sender, message(channel, sender), passing()[0])
        changed = type(sender)(
            sender.id, sender.name, sender.address, sender.display_name, sender.settings,
            {"password": "new"},
        )  # fmt: skip
        await channel.send(changed, message(channel, changed), passing()[0])
        await channel.close()
    assert sink.heard.count(b"AUTH") == 2
