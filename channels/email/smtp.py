"""One warm SMTP connection: aiosmtplib's transport, and a phase marker of our own.

aiosmtplib raises the same class before MAIL and after the final dot, and its `data()` hides the 354
between; whether a mail may have left depends on exactly that. So commands are given one by one.
"""

import asyncio
import re
import ssl
import time
from typing import cast

import aiosmtplib

from channels import crash_points
from channels.base import NotSent, OutboundMessage, PassPoint, SendResult, Stopped
from channels.email.address import is_canonical
from channels.email.classify import Phase, Reply, Silence, classify
from channels.email.settings import EmailSettings, is_loopback, tls_context

_LINE_DOT = re.compile(rb"(?m)^\.")
_GO_AHEAD_TIMEOUT = 120.0  # seconds, for the 354 (RFC 5321 4.5.3.2.4)
_SIDE_TIMEOUT = 10.0  # seconds, for NOOP and RSET, which nobody waits for longer
_METHODS = ("plain", "login", "cram-md5")  # the first that is offered, tried once


class _Lost(Exception):
    """The answer to the current phase will not come."""

    def __init__(self, silence: Silence) -> None:
        super().__init__(silence.detail)
        self.silence = silence


def wire_form(payload: bytes) -> bytes:
    """The body as DATA carries it: dot-stuffed and ended (RFC 5321 4.5.2). `payload` has CRLF
    lines and ends with one."""
    return _LINE_DOT.sub(b"..", payload) + b".\r\n"


async def _flushed(protocol: aiosmtplib.protocol.SMTPProtocol) -> None:
    """Until the socket has all that was written: uvloop writes at the end of a round."""
    transport = cast(asyncio.WriteTransport, protocol.transport)  # uvloop's is none by class
    for _ in range(500):
        await asyncio.sleep(0.01)
        if transport.is_closing() or not transport.get_write_buffer_size():
            return


def _lost(error: Exception) -> _Lost:
    timed_out = isinstance(error, TimeoutError)
    words = str(error) or type(error).__name__
    return _Lost(Silence("timeout" if timed_out else "dropped", words))


class Connection:
    """A connection that sends one mail at a time. Not reusable after any failure."""

    def __init__(self, settings: EmailSettings, password: str | None, local_hostname: str) -> None:
        self.settings = settings
        self._password = password
        self.phase = Phase.CONNECT
        self.mails = 0
        self.opened_at = 0.0  # time.monotonic()
        self.idle_since = 0.0
        self.lost = False
        self._clean = False
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
        return self._clean and self._smtp.is_connected

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
            outcome = _lost(error).silence
        result = classify(self.phase, outcome)
        assert isinstance(result, NotSent)
        return result

    async def transact(
        self, sender: str, message: OutboundMessage, pass_point: PassPoint
    ) -> SendResult:
        """One mail to one recipient. `phase` and `lost` tell afterwards how far it came.

        Whatever is raised (by `pass_point`, or a cancellation) leaves the connection not reusable.
        """
        if not is_canonical(message.recipient):
            raise ValueError("the envelope carries canonical addresses only")
        self._clean, self.lost = False, False
        try:
            result = await self._converse(sender, message, pass_point)
        except _Lost as lost:
            self.lost = True
            result = classify(self.phase, lost.silence)
        self.mails += 1
        return result

    async def _converse(
        self, sender: str, message: OutboundMessage, pass_point: PassPoint
    ) -> SendResult:
        # Written out here, so that no parser stands between the stored address and the envelope.
        for phase, words in (
            (Phase.MAIL, f"MAIL FROM:<{sender}>"),
            (Phase.RCPT, f"RCPT TO:<{message.recipient}>"),
        ):
            reply = await self._command(phase, words.encode("ascii"))
            if reply.code not in (250, 251):
                return await self._refused(phase, reply)
            crash_points.point(f"smtp.after_{phase}")
        if not await pass_point():
            await self._reset()
            return Stopped()
        reply = await self._command(
            Phase.DATA, b"DATA", min(self.settings.data_timeout, _GO_AHEAD_TIMEOUT)
        )
        if reply.code != 354:
            return await self._refused(Phase.DATA, reply)
        crash_points.point("smtp.after_354")
        reply = await self._body(wire_form(message.payload))
        self._clean = reply.code != 421
        return classify(Phase.AFTER, reply)

    async def _command(self, phase: Phase, words: bytes, limit: float | None = None) -> Reply:
        self.phase = phase
        try:
            code, text = await self._smtp.execute_command(
                words, timeout=limit or self.settings.command_timeout
            )
        except (aiosmtplib.SMTPException, OSError) as error:
            raise _lost(error) from error
        return Reply(code, text)

    async def _body(self, wire: bytes) -> Reply:
        protocol = self._smtp.protocol
        if protocol is None:
            raise _Lost(Silence("dropped", "the connection was lost before the body"))
        try:
            if crash_points.is_armed("smtp.mid_body"):
                wire = await self._half(protocol, wire)
            # No await between the write and AFTER: before the write nothing has left.
            protocol.write(wire)
            self.phase = Phase.AFTER
            if crash_points.is_armed("smtp.after_body"):
                await _flushed(protocol)
                crash_points.point("smtp.after_body")
            code, text = await protocol.read_response(timeout=self.settings.data_timeout)
        except (aiosmtplib.SMTPException, OSError) as error:
            raise _lost(error) from error
        crash_points.point("smtp.after_250")
        return Reply(code, text)

    async def _half(self, protocol: aiosmtplib.protocol.SMTPProtocol, wire: bytes) -> bytes:
        """Let half of the body leave, then die. What is left of it, for those who go on."""
        middle = len(wire) // 2
        protocol.write(wire[:middle])
        self.phase = Phase.AFTER
        await _flushed(protocol)
        crash_points.point("smtp.mid_body")
        return wire[middle:]

    async def _refused(self, phase: Phase, reply: Reply) -> SendResult:
        if reply.code != 421:
            await self._reset()
        self.phase = phase
        return classify(phase, reply)

    async def _reset(self) -> None:
        """Forget the envelope. A connection that cannot is not reused; the result stands."""
        self._clean = await self._side(b"RSET")

    async def alive(self) -> bool:
        """Whether the server still answers."""
        return await self._side(b"NOOP")

    async def _side(self, words: bytes) -> bool:
        try:
            code, _ = await self._smtp.execute_command(words, timeout=_SIDE_TIMEOUT)
        except (aiosmtplib.SMTPException, OSError):
            return False
        return code == 250

    def close(self) -> None:
        """Close at once; a clean connection says goodbye without waiting for the answer."""
        if self.reusable and self._smtp.protocol is not None:
            self._smtp.protocol.write(b"QUIT\r\n")
        self._clean = False
        self._smtp.close()
