"""The commands of SMTP (RFC 5321), server side: small, strict and fast.

Extensions: PIPELINING (RFC 2920), 8BITMIME, SMTPUTF8, SIZE, STARTTLS (RFC 3207) and AUTH PLAIN and
LOGIN (RFC 4954).
"""

import asyncio
import base64
import binascii
import re
import ssl
from collections.abc import Awaitable, Callable
from typing import ClassVar

import structlog

from orchestrator.sandbox.faults import Envelope
from orchestrator.sandbox.smtp_connection import Connection, Options

log = structlog.get_logger()

_PATH = re.compile(rb"(?i)(?:FROM|TO):\s*<([^<>\r\n]*)>(.*)")
_MAX_RECIPIENTS = 100
_ACCEPTED = "250 2.0.0 OK, kept"


class Session(Connection):
    """One client's dialogue."""

    def __init__(self, options: Options, open_connections: set[Connection]) -> None:
        super().__init__(options, open_connections)
        self._greeted = False
        self._secure = False
        self._mail: Envelope | None = None
        self._login: str | None = None
        self._dialog: Callable[[bytes], None] | None = None  # the next line belongs to AUTH

    # --- commands

    def take_line(self, line: bytes) -> None:
        """A command, or the next line of an AUTH dialogue."""
        if self._dialog is not None:
            dialog, self._dialog = self._dialog, None
            dialog(line)
            return
        verb, _, argument = line.partition(b" ")
        handler = self._COMMANDS.get(verb.upper())
        if handler is None:
            self._say("500 5.5.1 Command not recognised")
        else:
            handler(self, argument.strip())

    def _ehlo(self, argument: bytes) -> None:
        self._greeted, self._mail = True, None
        lines = [
            self._options.hostname,
            "PIPELINING",
            "8BITMIME",
            "SMTPUTF8",
            "ENHANCEDSTATUSCODES",
            f"SIZE {self._options.max_size}",
        ]
        if self._options.tls is not None and not self._secure:
            lines.append("STARTTLS")
        if self._options.auth:
            lines.append("AUTH PLAIN LOGIN")
        for line in lines[:-1]:
            self._say(f"250-{line}")
        self._say(f"250 {lines[-1]}")

    def _helo(self, argument: bytes) -> None:
        self._greeted, self._mail = True, None
        self._say(f"250 {self._options.hostname}")

    def _mail_from(self, argument: bytes) -> None:
        found = _PATH.fullmatch(argument)
        if not self._greeted or self._mail is not None:
            self._say("503 5.5.1 Bad sequence of commands")
        elif found is None:
            self._say("501 5.5.4 Write MAIL FROM:<address>")
        elif (size := re.search(rb"(?i)\bSIZE=(\d+)", found[2])) and (
            int(size[1]) > self._options.max_size
        ):
            self._say("552 5.3.4 Message too big")
        else:
            made = Envelope(sender=found[1].decode(errors="replace"), login=self._login)
            self._meet("mail", made, lambda: self._accept_sender(made))

    def _accept_sender(self, made: Envelope) -> None:
        self._mail = made
        self._say("250 2.1.0 OK")

    def _rcpt_to(self, argument: bytes) -> None:
        found, mail = _PATH.fullmatch(argument), self._mail
        if mail is None:
            self._say("503 5.5.1 MAIL first")
        elif found is None or not found[1]:
            self._say("501 5.5.4 Write RCPT TO:<address>")
        elif len(mail.recipients) >= _MAX_RECIPIENTS:
            self._say("452 4.5.3 Too many recipients")
        else:
            address = found[1].decode(errors="replace")
            asked = Envelope(mail.sender, [*mail.recipients, address], login=self._login)
            self._meet("rcpt", asked, lambda: self._accept_recipient(mail, address))

    def _accept_recipient(self, mail: Envelope, address: str) -> None:
        mail.recipients.append(address)
        self._say("250 2.1.5 OK")

    def _data(self, argument: bytes) -> None:
        if self._mail is None or not self._mail.recipients:
            self._say("503 5.5.1 No valid recipients")
        else:
            self._meet("data", self._mail, self._open_data)

    def _open_data(self) -> None:
        self._in_data = True
        self._say("354 End with a dot on a line of its own")

    # --- the mail itself

    def take_body(self, data: bytes) -> None:
        """Hand the mail to whoever keeps mails."""
        mail, self._mail = self._mail, None
        assert mail is not None
        if len(data) > self._options.max_size:
            self._say("552 5.3.4 Message too big")
            return
        mail.data = data
        self._meet("body", mail, lambda: self._hand_over(mail))

    def _hand_over(self, mail: Envelope) -> None:
        verdict = self._options.on_mail(mail)
        if verdict is None or isinstance(verdict, str):
            self._say(verdict or _ACCEPTED)
        else:
            self._pause(self._verdict(verdict))

    async def _verdict(self, verdict: Awaitable[str | None]) -> Callable[[], None]:
        try:
            line = await verdict or _ACCEPTED
        except Exception:
            log.exception("sandbox.keeper_failed")
            line = "451 4.3.0 The mail could not be kept"
        return lambda: self._say(line)

    # --- small commands

    def _reset(self, argument: bytes) -> None:
        self._mail = None
        self._say("250 2.0.0 OK")

    def _noop(self, argument: bytes) -> None:
        self._say("250 2.0.0 OK")

    def _verify(self, argument: bytes) -> None:
        self._say("252 2.1.5 Send it and see")

    def _quit(self, argument: bytes) -> None:
        self._say("221 2.0.0 Goodbye")
        self._closing = True

    # --- STARTTLS and AUTH

    def _starttls(self, argument: bytes) -> None:
        if self._options.tls is None or self._secure:
            self._say("503 5.5.1 TLS is not to be had here")
            return
        self._say("220 2.0.0 Go ahead")
        # What was sent in the clear after STARTTLS must not count as said under TLS.
        self._buffer.clear()
        self._pause(self._handshake(self._options.tls))

    async def _handshake(self, context: ssl.SSLContext) -> Callable[[], None]:
        assert self._transport is not None
        try:
            made = await asyncio.get_running_loop().start_tls(
                self._transport, self, context, server_side=True
            )
        except (OSError, ssl.SSLError):
            return self.close
        self._transport, self._secure = made, True
        self._greeted, self._mail, self._login = False, None, None
        return lambda: None

    def _auth(self, argument: bytes) -> None:
        mechanism, _, initial = argument.partition(b" ")
        if not self._options.auth or self._login is not None:
            self._say("503 5.5.1 AUTH is not possible now")
        elif mechanism.upper() == b"PLAIN":
            self._answer_or_ask(initial, "", self._plain)
        elif mechanism.upper() == b"LOGIN":
            self._answer_or_ask(initial, "Username:", self._login_name)
        else:
            self._say("504 5.5.4 PLAIN or LOGIN")

    def _answer_or_ask(self, given: bytes, prompt: str, take: Callable[[bytes], None]) -> None:
        if given:
            take(given)
        else:
            self._say(f"334 {base64.b64encode(prompt.encode()).decode()}")
            self._dialog = take

    def _plain(self, line: bytes) -> None:
        parts = _decoded(line).split("\0")
        self._check_login(*parts[1:3]) if len(parts) == 3 else self._say("501 5.5.2 Not PLAIN")

    def _login_name(self, line: bytes) -> None:
        user = _decoded(line)
        self._answer_or_ask(b"", "Password:", lambda word: self._check_login(user, _decoded(word)))

    def _check_login(self, user: str, password: str) -> None:
        if self._options.login(user, password):
            self._login = user
            self._say("235 2.7.0 Welcome")
        else:
            self._say("535 5.7.8 Wrong name or password")

    _COMMANDS: ClassVar[dict[bytes, Callable[["Session", bytes], None]]] = {
        b"EHLO": _ehlo,
        b"HELO": _helo,
        b"MAIL": _mail_from,
        b"RCPT": _rcpt_to,
        b"DATA": _data,
        b"RSET": _reset,
        b"NOOP": _noop,
        b"VRFY": _verify,
        b"QUIT": _quit,
        b"STARTTLS": _starttls,
        b"AUTH": _auth,
    }


def _decoded(line: bytes) -> str:
    try:
        return base64.b64decode(line, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
