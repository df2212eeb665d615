"""The sandbox's SMTP server against a real client and by hand on a socket."""

import asyncio
import json
import smtplib
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiosmtplib
import pytest

from orchestrator.sandbox.faults import Drop, Envelope, Fault, Phase, parse_fault
from orchestrator.sandbox.mailbox import Mailbox
from orchestrator.sandbox.smtp import SmtpServer, keeper
from orchestrator.sandbox.smtp_connection import Options

MAIL = (
    b"From: Kari <kari@sender.example>\r\nTo: ola@acme.example\r\nSubject: Hello\r\n"
    b"Message-ID: <one@sender.example>\r\n\r\nFirst\r\n.hidden dot\r\n..two\r\nlast\r\n"
)


class Kept:
    """Collects what the server hands over."""

    def __init__(self) -> None:
        self.mails: list[Envelope] = []

    def __call__(self, mail: Envelope) -> None:
        self.mails.append(mail)


async def say(server: SmtpServer, text: bytes) -> bytes:
    """Everything that the server answers to `text` sent in one write."""
    reader, writer = await asyncio.open_connection(server.host, server.port)
    writer.write(text)
    writer.write_eof()
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    return answer


async def send(server: SmtpServer, data: bytes = MAIL, **more: str) -> None:
    """Send `data` with a real client."""
    await aiosmtplib.send(
        data,
        sender="kari@sender.example",
        recipients=["ola@acme.example", "eva@acme.example"],
        hostname=server.host,
        port=server.port,
        start_tls=False,
        **more,  # type: ignore[arg-type]  # user name and password only
    )


async def test_keeps_what_a_real_client_sends_byte_for_byte() -> None:
    kept = Kept()
    async with SmtpServer(Options(on_mail=kept)) as server:
        await send(server, username="kari", password="secret")
    assert [mail.data for mail in kept.mails] == [MAIL]
    assert kept.mails[0].sender == "kari@sender.example"
    assert kept.mails[0].recipients == ["ola@acme.example", "eva@acme.example"]
    assert kept.mails[0].login == "kari"


async def test_a_pipelined_group_is_answered_in_order() -> None:
    kept = Kept()
    async with SmtpServer(Options(on_mail=kept)) as server:
        answer = await say(
            server,
            b"EHLO me\r\nMAIL FROM:<a@b.example> SIZE=10\r\nRCPT TO:<c@d.example>\r\nDATA\r\n"
            b".\r\nMAIL FROM:<>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n"
            b"x\r\n..y\r\n.\r\nNOOP\r\nQUIT\r\n",
        )
    codes = [line[:3] for line in answer.split(b"\r\n") if line[3:4] == b" "]
    assert codes == b"220 250 250 250 354 250 250 250 354 250 250 221".split()
    assert [mail.data for mail in kept.mails] == [b"", b"x\r\n.y\r\n"]


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (b"MAIL FROM:<a@b.example>\r\n", b"503"),  # no EHLO
        (b"EHLO me\r\nRCPT TO:<a@b.example>\r\n", b"503"),
        (b"EHLO me\r\nDATA\r\n", b"503"),
        (b"EHLO me\r\nMAIL FROM:<a@b.example> SIZE=999999999\r\n", b"552"),
        (b"EHLO me\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<>\r\n", b"501"),
        (b"EHLO me\r\nFROB\r\n", b"500"),
        (b"EHLO me\r\nSTARTTLS\r\n", b"503"),
        (b"EHLO me\r\nAUTH PLAIN AGEAYg==\r\n", b"235"),
        (b"EHLO me\r\nAUTH LOGIN\r\nYQ==\r\nYg==\r\n", b"235"),
        (b"EHLO me\r\nMAIL FROM:<a@b.example>\nRCPT TO:<c@d.example>\r\n", b"500"),  # bare LF
    ],
)
async def test_what_it_says(said: bytes, code: bytes) -> None:
    async with SmtpServer(Options(on_mail=Kept())) as server:
        lines = (await say(server, said)).strip().split(b"\r\n")
    assert lines[-1][:3] == code


async def test_a_bare_line_feed_ends_no_mail() -> None:
    kept = Kept()
    body = b"x\n.\nMAIL FROM:<evil@b.example>\r\n"
    async with SmtpServer(Options(on_mail=kept)) as server:
        await say(
            server,
            b"EHLO me\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n"
            + body
            + b".\r\nQUIT\r\n",
        )
    assert [mail.data for mail in kept.mails] == [body]


async def test_a_large_mail_and_one_too_large() -> None:
    kept = Kept()
    async with SmtpServer(Options(on_mail=kept, max_size=200_000)) as server:
        await send(server, MAIL + b"x" * 70 + b"\r\n")
        with pytest.raises(aiosmtplib.SMTPResponseException, match="too big"):
            await send(server, MAIL + b"0123456789\r\n" * 20_000)
    assert len(kept.mails) == 1


async def test_a_scripted_reply_and_every_other_recipient() -> None:
    options = Options(on_mail=Kept(), script=parse_fault("mail=451@2"))
    async with SmtpServer(options) as server:
        await send(server)
        with pytest.raises(aiosmtplib.SMTPSenderRefused, match="Scripted"):
            await send(server)


@pytest.mark.parametrize(("keep", "kept_mails"), [(True, 1), (False, 0)])
async def test_the_acknowledgement_is_lost(keep: bool, kept_mails: int) -> None:
    def script(phase: Phase, _mail: Envelope) -> Fault | None:
        return Drop(keep=keep) if phase == "body" else None

    kept = Kept()
    async with SmtpServer(Options(on_mail=kept, script=script)) as server:
        with pytest.raises(aiosmtplib.SMTPException):
            await send(server)
    assert len(kept.mails) == kept_mails


@pytest.mark.parametrize("fault", ["body=delay:0.05", "connect=delay:0.05", "rcpt=delay:0.02"])
async def test_a_delay_changes_nothing_but_time(fault: str) -> None:
    kept = Kept()
    async with SmtpServer(Options(on_mail=kept, script=parse_fault(fault))) as server:
        await send(server)
    assert len(kept.mails) == 1


def later(verdict: str | None) -> Callable[[Envelope], Awaitable[str | None]]:
    """A keeper that takes its time."""

    async def on_mail(_mail: Envelope) -> str | None:
        await asyncio.sleep(0.01)
        if verdict == "broken":
            raise OSError("the disk is full")
        return verdict

    return on_mail


async def test_a_slow_keeper_answers_later_and_a_broken_one_temporarily_no() -> None:
    async with SmtpServer(Options(on_mail=later(None))) as server:
        await send(server)
    for verdict in ("451 4.3.0 Not now", "broken"):
        async with SmtpServer(Options(on_mail=later(verdict))) as server:
            with pytest.raises(aiosmtplib.SMTPDataError) as caught:
                await send(server)
            assert caught.value.code == 451


async def test_the_mailbox_gives_back_what_came(tmp_path: Path) -> None:
    mailbox = Mailbox(tmp_path / "mail")
    tricky = b"Return-Path: <x@y>\r\nDelivered-To: z\r\n" + MAIL
    async with SmtpServer(Options(on_mail=keeper(None, mailbox))) as server:
        await send(server)
        await send(server, tricky)
    first, second = Mailbox(tmp_path / "mail").mails()
    assert (first.raw, second.raw) == (MAIL, tricky)
    assert first.sender == "kari@sender.example"
    assert first.recipients == ("ola@acme.example", "eva@acme.example")
    assert first.subject == "Hello"
    assert first.message_id == "<one@sender.example>"
    assert ".hidden dot" in first.text
    assert mailbox.of("OLA@acme.example") == [first, second]
    assert mailbox.get("../../etc/passwd") is None


def test_standalone_prints_its_port_and_fills_a_ledger(tmp_path: Path) -> None:
    ledger, before = tmp_path / "ledger", time.time() - 0.001
    child = subprocess.Popen(
        [sys.executable, "-m", "orchestrator.sandbox.smtp", "--ledger", str(ledger)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert child.stdout is not None
        where = json.loads(child.stdout.readline())
        with smtplib.SMTP(where["host"], where["port"]) as client:
            client.sendmail("kari@sender.example", ["ola@acme.example", "eva@acme.example"], MAIL)
    finally:
        child.terminate()
        assert child.wait(5) == 0
        child.stdout.close()
    lines = [line.split("\t") for line in ledger.read_text().splitlines()]
    assert [line[:2] for line in lines] == [
        ["<one@sender.example>", "ola@acme.example"],
        ["<one@sender.example>", "eva@acme.example"],
    ]
    assert lines[0][2] == lines[1][2]
    assert before <= float(lines[0][2]) <= time.time()
