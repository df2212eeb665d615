"""One warm SMTP connection: aiosmtplib connects, secures and logs in; the mails go over a `Wire`.

aiosmtplib raises the same class before MAIL and after the final dot, and its `data()` hides the 354
between; whether a mail may have left depends on exactly that. So the phase is marked here.

A server that announces PIPELINING (RFC 2920) gets the envelope and DATA in one write, and while
there are more mails the next envelope along with the body: one round trip a mail. Nothing has left
before the body, which is written only after the point of no return. What is stopped between 354 and
body is left by hanging up (RFC 5321 4.1.1.4: without the final dot there is no mail).
"""

import asyncio
import re
import ssl
import time
from dataclasses import dataclass
from typing import Protocol

import aiosmtplib

from channels import crash_points
from channels.base import Handing, NotSent, SendResult, Stopped
from channels.email.classify import Phase, Reply, Silence, classify
from channels.email.settings import EmailSettings, is_loopback, tls_context
from channels.email.wire import Lost, Wire

_LINE_DOT = re.compile(rb"(?m)^\.")
_GO_AHEAD_TIMEOUT = 120.0  # seconds, for the 354 (RFC 5321 4.5.3.2.4)
_DATA = b"DATA\r\n"
_SIDE_TIMEOUT = 10.0  # seconds, for NOOP and RSET, which nobody waits for longer
_METHODS = ("plain", "login", "cram-md5")  # the first that is offered, tried once


def wire_form(payload: bytes) -> bytes:
    """The body as DATA carries it: dot-stuffed and ended (RFC 5321 4.5.2). `payload` has CRLF
    lines and ends with one."""
    if b"\n." in payload or payload.startswith(b"."):  # few have any: the search costs 1 us, sub 20
        payload = _LINE_DOT.sub(b"..", payload)
    return payload + b".\r\n"


@dataclass(slots=True)
class Mail:
    """One mail to one recipient. Both addresses are canonical: no parser stands between what was
    checked and the envelope."""

    one: Handing
    sender: str
    recipient: str

    def envelope(self) -> tuple[bytes, bytes]:
        """MAIL and RCPT."""
        mail_from = f"MAIL FROM:<{self.sender}>\r\n".encode("ascii")
        return mail_from, f"RCPT TO:<{self.recipient}>\r\n".encode("ascii")


class Mails(Protocol):
    """Where a connection gets its mails; `channels.base.Feed`, checked."""

    def next(self) -> Mail | None: ...
    def done(self, mail: Mail, result: SendResult) -> None: ...
    def back(self, mail: Mail) -> None: ...


def _silence(error: Exception) -> Silence:
    timed_out = isinstance(error, TimeoutError)
    return Silence("timeout" if timed_out else "dropped", str(error) or type(error).__name__)


class Connection:
    """A connection that hands over one mail after the other. Not reusable after any failure."""

    def __init__(
        self,
        settings: EmailSettings,
        password: str | None,
        local_hostname: str,
        *,
        most: int = 100,
        age: float = 300.0,
    ) -> None:
        self.settings = settings
        self._password = password
        self._most, self._age = most, age  # mails, seconds
        self.phase = Phase.CONNECT  # of the current mail
        self.mails = 0
        self.opened_at = 0.0  # time.monotonic()
        self.idle_since = 0.0
        self._ahead: Mail | None = None  # its envelope was written with the body before it
        self._clean = False
        self._opened = False
        self._pipelining = False
        self._wire: Wire
        encrypted = settings.security != "plain_without_encryption"
        self._encrypted = encrypted
        self._smtp = aiosmtplib.SMTP(
            hostname=settings.host,
            port=settings.port,
            local_hostname=settings.local_hostname or local_hostname,
            timeout=settings.command_timeout,
            use_tls=settings.security == "tls",
            start_tls=False,  # never opportunistic: open() asks for it and insists
        )

    @property
    def reusable(self) -> bool:
        """Whether the next mail may go over it."""
        return self._clean and self._wire.open

    def spent(self, under_way: int = 0) -> bool:
        """Whether it had its share; `under_way` mails are not counted yet."""
        full = self.mails + under_way >= self._most
        return full or time.monotonic() - self.opened_at > self._age

    async def open(self) -> NotSent | None:
        """Connect, secure and log in. None: ready. Closed already when it is not."""
        self.phase = Phase.CONNECT
        try:
            failure = await self._open()
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            failure = self._failed_to_open(error)
        except BaseException:
            self.close()
            raise
        if failure is not None:
            self.close()
            return failure
        assert self._smtp.transport is not None
        self._wire, self._opened = Wire(self._smtp.transport), True
        self._pipelining = self._smtp.supports_extension("pipelining")
        self.opened_at = time.monotonic()
        self._clean = True
        crash_points.point("smtp.connected")
        return None

    async def _open(self) -> NotSent | None:
        smtp, limit = self._smtp, self.settings.connect_timeout
        if self._encrypted:
            # Loading the roots takes tens of milliseconds the first time.
            smtp.tls_context = await asyncio.to_thread(tls_context, self.settings.ca_file)
        await smtp.connect(timeout=limit)
        await smtp.ehlo(timeout=limit)
        if self.settings.security == "starttls":
            if not smtp.supports_extension("starttls"):
                return NotSent("no_starttls", "the server offers no STARTTLS", lane="park")
            await smtp.starttls(timeout=limit)
            await smtp.ehlo(timeout=limit)
        return await self._login() if self.settings.username else None

    async def _login(self) -> NotSent | None:
        self.phase = Phase.AUTH
        smtp, username = self._smtp, self.settings.username
        assert username is not None
        if self._password is None:
            return NotSent("settings", "this sender has a username and no password", lane="pause")
        if smtp.get_transport_info("sslcontext") is None:
            peer = smtp.get_transport_info("peername")
            if not (peer and is_loopback(str(peer[0]))):
                return NotSent("plaintext_auth", "no password over plaintext", lane="pause")
        offered = [name for name in _METHODS if name in smtp.server_auth_methods]
        if not offered:
            return NotSent("auth", "the server offers no way to log in that we know", lane="pause")
        log_in = {
            "plain": smtp.auth_plain, "login": smtp.auth_login, "cram-md5": smtp.auth_crammd5
        }[offered[0]]  # fmt: skip
        await log_in(username, self._password)
        return None

    def _failed_to_open(self, error: Exception) -> NotSent:
        cause = error if isinstance(error, ssl.SSLError) else error.__cause__
        if isinstance(cause, ssl.SSLCertVerificationError):
            return NotSent("certificate", f"the server's certificate: {cause}"[:500], lane="park")
        if isinstance(error, aiosmtplib.SMTPResponseException) and error.code > 0:
            outcome: Reply | Silence = Reply(error.code, error.message)
        else:
            outcome = _silence(error)
        result = classify(self.phase, outcome)
        assert isinstance(result, NotSent)
        return result

    async def stream(self, mail: Mail, mails: Mails) -> None:
        """Hand over `mail` and what `mails` gives after it, while this connection is fit for it.

        Each mail is `done`, or goes `back` when nothing was done about it: its envelope found the
        connection dead. What is raised (by `pass_point`, or a cancellation) leaves it not reusable.
        """
        self._clean, self._ahead = False, None
        current: Mail | None = mail
        while current is not None:
            self.phase = Phase.MAIL
            try:
                result = await self._converse(current, mails)
            except Lost as lost:
                self._clean = False
                if self.phase is Phase.MAIL and self.mails:  # it died while it was idle
                    mails.back(current)
                    break
                result = classify(self.phase, lost.silence)
            self.mails += 1
            mails.done(current, result)
            current = self._following(mails) if self._clean else None
        if self._ahead is not None:
            mails.back(self._ahead)

    def _following(self, mails: Mails) -> Mail | None:
        return self._ahead or (None if self.spent() else mails.next())

    async def _converse(self, mail: Mail, mails: Mails) -> SendResult:
        envelope = mail.envelope()
        ahead, self._ahead = self._ahead, None
        self._clean = False
        if self._pipelining and ahead is None:
            self._wire.say(b"".join(envelope) + _DATA, replies=3)
        for phase, words in zip((Phase.MAIL, Phase.RCPT), envelope, strict=True):
            reply = await self._ask(phase, words)
            if reply.code not in (250, 251):
                return await self._refused(phase, reply)
            crash_points.point(f"smtp.after_{phase}")
        if self._pipelining and (refusal := await self._go_ahead()):
            return refusal
        if not await mail.one.pass_point():
            if not self._pipelining:
                await self._reset()
            return Stopped()
        if not self._pipelining and (refusal := await self._go_ahead()):
            return refusal
        crash_points.point("smtp.after_354")
        if self._pipelining and not self.spent(1):
            self._ahead = mails.next()
        reply = await self._body(wire_form(mail.one.message.payload))
        self._clean = reply.code != 421
        return classify(Phase.AFTER, reply)

    async def _go_ahead(self) -> SendResult | None:
        """The answer to DATA: None when the body may come."""
        limit = min(self.settings.data_timeout, _GO_AHEAD_TIMEOUT)
        reply = await self._ask(Phase.DATA, _DATA, limit)
        return None if reply.code == 354 else await self._refused(Phase.DATA, reply)

    async def _ask(self, phase: Phase, words: bytes, limit: float | None = None) -> Reply:
        """The reply to one command, which is written here unless the envelope went at once."""
        self.phase = phase
        if not self._pipelining:
            self._wire.say(words)
        return await self._wire.hear(limit or self.settings.command_timeout)

    async def _body(self, body: bytes) -> Reply:
        if crash_points.is_armed("smtp.mid_body"):
            body = await self._half(body)
        replies = 1
        if self._ahead is not None:
            body += b"".join(self._ahead.envelope()) + _DATA
            replies += 3
        # No await between the write and AFTER: before the write nothing has left.
        self._wire.say(body, replies)
        self.phase = Phase.AFTER
        if crash_points.is_armed("smtp.after_body"):
            await self._wire.flushed()
            crash_points.point("smtp.after_body")
        reply = await self._wire.hear(self.settings.data_timeout)
        crash_points.point("smtp.after_250")
        return reply

    async def _half(self, body: bytes) -> bytes:
        """Let half of the body leave, then die. What is left of it, for those who go on."""
        middle = len(body) // 2
        self._wire.say(body[:middle], replies=0)
        self.phase = Phase.AFTER
        await self._wire.flushed()
        crash_points.point("smtp.mid_body")
        return body[middle:]

    async def _refused(self, phase: Phase, reply: Reply) -> SendResult:
        """What a refusal means. After a whole envelope in one write the answers that are still due
        say nothing new, and a DATA that was accepted must not be left open: then it is hung up."""
        if reply.code != 421 and (not self._pipelining or await self._closed_data(phase)):
            await self._reset()
        self.phase = phase
        return classify(phase, reply)

    async def _closed_data(self, phase: Phase) -> bool:
        due = {Phase.MAIL: 2, Phase.RCPT: 1}.get(phase, 0)
        try:
            rest = [await self._wire.hear(self.settings.command_timeout) for _ in range(due)]
        except Lost:
            return False
        return all(one.code not in (354, 421) for one in rest)

    async def _reset(self) -> None:
        """Forget the envelope. A connection that cannot is not reused; the result stands."""
        self._clean = await self._side(b"RSET\r\n")

    async def alive(self) -> bool:
        """Whether the server still answers."""
        return await self._side(b"NOOP\r\n")

    async def _side(self, words: bytes) -> bool:
        try:
            self._wire.say(words)
            return (await self._wire.hear(_SIDE_TIMEOUT)).code == 250
        except Lost:
            return False

    def close(self) -> None:
        """Close at once; a clean connection says goodbye without waiting for the answer."""
        if self._opened:
            self._wire.close(b"QUIT\r\n" if self.reusable else b"")
        self._clean = False
        self._smtp.close()
