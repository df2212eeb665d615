"""One SMTP connection, server side: bytes, groups of replies, pauses and scripted faults.

Replies to a pipelined group (RFC 2920) leave in one write. A line ends with CRLF and nothing else,
so a bare LF can smuggle neither a command nor the end of a mail.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import cast

from orchestrator.sandbox.faults import Delay, Drop, Envelope, Phase, Reply, Script

# Takes a whole mail; returns None for "250 OK", or the reply line, at once or later.
OnMail = Callable[[Envelope], str | Awaitable[str | None] | None]

_MAX_LINE = 2048


@dataclass(frozen=True)
class Options:
    """How the server behaves. `script` None: no faults. `tls` None: no STARTTLS."""

    on_mail: OnMail
    hostname: str = "sandbox.localhost"
    max_size: int = 25 * 1024 * 1024  # bytes
    script: Script | None = None
    tls: ssl.SSLContext | None = None
    auth: bool = True
    login: Callable[[str, str], bool] = lambda _user, _password: True


class Connection(asyncio.Protocol):
    """The moving parts under the commands: a subclass handles each line and each mail."""

    def __init__(self, options: Options, open_connections: set["Connection"]) -> None:
        self._options = options
        self._open = open_connections
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._searched = 0  # bytes of the buffer that hold no end of the mail
        self._replies: list[bytes] = []
        self._in_data = False
        self._busy = False  # a delay, a TLS handshake or a slow on_mail is under way
        self._closing = False
        self._task: asyncio.Task[None] | None = None

    def take_line(self, line: bytes) -> None:
        """One command or line of a dialogue, without its CRLF."""
        raise NotImplementedError

    def take_body(self, data: bytes) -> None:
        """One whole mail, dots unstuffed."""
        raise NotImplementedError

    # --- the connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet; nothing is read before that."""
        if self._transport is not None:  # the same connection again, under TLS
            return
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by class
        self._open.add(self)
        greeting = f"220 {self._options.hostname} ESMTP sandbox: nothing leaves this machine"
        self._meet("connect", Envelope(), lambda: self._say(greeting))
        self._work()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget what was not finished (RFC 5321, 4.1.1.4)."""
        self._closing = True
        self._open.discard(self)

    def data_received(self, data: bytes) -> None:
        """Take what came and answer what is complete."""
        self._buffer += data
        self._work()

    def close(self) -> None:
        """End the connection now."""
        self._closing = True
        if self._transport is not None:
            self._transport.abort()

    def _work(self) -> None:
        while not (self._busy or self._closing) and self._step():
            pass
        self._flush()
        if self._closing and self._transport is not None:
            self._transport.close()

    def _step(self) -> bool:
        """Handle one line or one mail; False when more bytes are needed."""
        return self._next_body() if self._in_data else self._next_line()

    def _next_line(self) -> bool:
        end = self._buffer.find(b"\r\n")
        if end < 0:
            self._closing = len(self._buffer) > _MAX_LINE
            return False
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        if len(line) > _MAX_LINE or b"\n" in line or b"\r" in line:
            self._say("500 5.5.2 No line of SMTP")
        else:
            self.take_line(line)
        return True

    def _next_body(self) -> bool:
        end = self._end_of_body()
        if end is None:
            if len(self._buffer) > self._options.max_size * 1.1 + _MAX_LINE:
                self._say("552 5.3.4 Message too big")
                self._closing = True
            return False
        data = bytes(self._buffer[:end])
        del self._buffer[: end + 3]
        self._searched, self._in_data = 0, False
        # RFC 5321, 4.5.2
        self.take_body(data.removeprefix(b".").replace(b"\r\n.", b"\r\n"))
        return True

    def _end_of_body(self) -> int | None:
        if self._searched == 0 and self._buffer.startswith(b".\r\n"):
            return 0
        found = self._buffer.find(b"\r\n.\r\n", max(0, self._searched - 4))
        self._searched = len(self._buffer)
        return found + 2 if found >= 0 else None

    def _flush(self) -> None:
        if self._replies and self._transport is not None:
            self._transport.write(b"".join(self._replies))
            self._replies.clear()

    def _say(self, line: str) -> None:
        self._replies.append(line.encode() + b"\r\n")

    # --- faults

    def _meet(self, phase: Phase, mail: Envelope, go_on: Callable[[], None]) -> None:
        """Do what the script says at this point, else go on."""
        script = self._options.script
        match script(phase, mail) if script else None:
            case None:
                go_on()
            case Reply(line):
                self._say(line)
                self._closing = phase == "connect" or line.startswith("421")
            case Drop(keep):
                if keep and phase == "body":
                    self._options.on_mail(mail)
                self._closing = True
            case Delay(seconds):
                self._pause(asyncio.sleep(seconds, result=go_on))

    def _pause(self, until: Awaitable[Callable[[], None]]) -> None:
        """Read no further on this connection before `until` is there; then do what it says."""
        self._flush()
        self._busy = True

        async def wait() -> None:
            go_on = await until
            self._busy = False
            if not self._closing:
                go_on()
                self._work()

        self._task = asyncio.get_running_loop().create_task(wait())
