"""An SMTP server that does wrong on purpose and remembers every byte that it was sent."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import ClassVar

DROP = "drop"  # close without a word
HANG = "hang"  # never answer


@dataclass
class Mail:
    """One accepted mail."""

    sender: str
    recipients: list[str]
    data: bytes


@dataclass
class Sink:
    """`answers`: what to say instead at a step (connect, ehlo, starttls, auth, mail, rcpt, data,
    body): a reply line, DROP or HANG. `keep`: accept the mail at body before doing so."""

    answers: dict[str, str] = field(default_factory=dict)
    once: dict[str, str] = field(default_factory=dict)  # the same, for the next time only
    keep: bool = False
    tls: ssl.SSLContext | None = None
    implicit_tls: bool = False
    offer_starttls: bool = True
    pipelining: bool = field(default_factory=lambda: Sink.announces_pipelining)
    auth: bool = False
    open_data: bool = False  # 354 though nobody is there to get it, as some servers answer
    delay: float = 0.0
    mails: list[Mail] = field(default_factory=list)
    kept: asyncio.Event = field(default_factory=asyncio.Event)
    heard: bytearray = field(default_factory=bytearray)
    connections: int = 0
    port: int = 0
    cut_off: bytes = b""  # of the last body, where it never came to its end
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    announces_pipelining: ClassVar[bool] = False  # of every sink that does not say

    async def idle(self) -> None:
        """Until no connection is open."""
        if self._tasks:
            await asyncio.wait(set(self._tasks))

    def lines(self) -> list[bytes]:
        """Every line that was heard, of all connections."""
        return bytes(self.heard).split(b"\r\n")

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            await _Talk(self, reader, writer).run()
        except asyncio.IncompleteReadError as error:
            self.cut_off = error.partial
        except (ConnectionError, ssl.SSLError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def stop(self) -> None:
        """End every connection."""
        for task in list(self._tasks):
            task.cancel()
        for task in list(self._tasks):
            with contextlib.suppress(asyncio.CancelledError):
                await task


class _Talk:
    def __init__(
        self, sink: Sink, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.sink, self.reader, self.writer = sink, reader, writer
        self.secure = sink.implicit_tls
        self.sender, self.recipients = "", list[str]()

    async def run(self) -> None:
        if not await self.say("connect", "220 sink"):
            return
        while line := await self.reader.readline():
            self.sink.heard += line
            verb, _, rest = line.decode("latin-1").strip().partition(" ")
            handler = getattr(self, f"on_{verb.lower()}", None)
            if handler is None:
                await self.say("", "500 what?")
            elif not await handler(rest):
                return

    async def say(self, step: str, line: str) -> bool:
        """False: the connection is over."""
        await asyncio.sleep(self.sink.delay)
        line = self.sink.once.pop(step, self.sink.answers.get(step, line))
        if line == HANG:
            await asyncio.sleep(3600)
        if line == DROP:
            return False
        self.writer.write(line.encode() + b"\r\n")
        await self.writer.drain()
        return not line.startswith("421")

    async def on_ehlo(self, _: str) -> bool:
        lines = ["sink", "ENHANCEDSTATUSCODES"]
        if self.sink.tls and not self.secure and self.sink.offer_starttls:
            lines.append("STARTTLS")
        if self.sink.pipelining:
            lines.append("PIPELINING")
        if self.sink.auth:
            lines.append("AUTH PLAIN LOGIN CRAM-MD5")
        text = "".join(f"250-{line}\r\n" for line in lines[:-1]) + f"250 {lines[-1]}"
        return await self.say("ehlo", text)

    async def on_starttls(self, _: str) -> bool:
        if not await self.say("starttls", "220 go"):
            return False
        assert self.sink.tls is not None
        await self.writer.start_tls(self.sink.tls)
        self.secure = True
        return True

    async def on_auth(self, _: str) -> bool:
        return await self.say("auth", "235 2.7.0 welcome")

    async def on_mail(self, rest: str) -> bool:
        self.sender, self.recipients = rest[len("FROM:<") : -1], []
        return await self.say("mail", "250 ok")

    async def on_rcpt(self, rest: str) -> bool:
        refused = "rcpt" in self.sink.once or "rcpt" in self.sink.answers
        if not refused:
            self.recipients.append(rest[len("TO:<") : -1])
        return await self.say("rcpt", "250 ok")

    async def on_data(self, _: str) -> bool:
        if not self.recipients and not self.sink.open_data:  # RFC 5321 3.3
            return await self.say("", "503 5.5.1 no valid recipients")
        if not await self.say("data", "354 go"):
            return False
        if not self.sink.answers.get("data", "354").startswith("354"):
            return True
        body = await self.reader.readuntil(b"\r\n.\r\n")
        self.sink.heard += body
        data = body[:-3].replace(b"\r\n..", b"\r\n.")
        data = data[1:] if data.startswith(b"..") else data
        answer = self.sink.answers.get("body", "250")
        if self.sink.keep or answer.startswith("250"):
            self.sink.mails.append(Mail(self.sender, self.recipients, data))
            self.sink.kept.set()
        return await self.say("body", "250 2.0.0 queued as 1")

    async def on_rset(self, _: str) -> bool:
        return await self.say("rset", "250 ok")

    async def on_noop(self, _: str) -> bool:
        return await self.say("noop", "250 ok")

    async def on_quit(self, _: str) -> bool:
        await self.say("", "221 bye")
        return False


@asynccontextmanager
async def serving(sink: Sink) -> AsyncIterator[Sink]:
    """`sink` on a free port of loopback."""
    context = sink.tls if sink.implicit_tls else None
    server = await asyncio.start_server(sink.serve, "127.0.0.1", 0, ssl=context)
    sink.port = server.sockets[0].getsockname()[1]
    try:
        yield sink
    finally:
        server.close()
        await sink.stop()
        await server.wait_closed()
