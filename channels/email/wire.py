"""The line of an SMTP conversation once aiosmtplib has connected, secured it and logged in.

aiosmtplib gives one command at a time; servers that announce PIPELINING (RFC 2920) take a whole
envelope at once. So its transport gets this protocol: words out, replies back, in order and
counted. A line that nobody asked for, or that is no reply, ends the connection: replies must never
be paired with the wrong command.
"""

import asyncio
import re
from collections import deque
from typing import cast

from channels.email.classify import Reply, Silence

_LINE = re.compile(rb"([2-5]\d\d)(?:([ -])(.*))?", re.DOTALL)
_MOST = 64 * 1024  # bytes of one reply
# Seconds between the looks at whether a reply is late. One timer goes on while mails come and go:
# to start and to stop one for each reply took as long as to read the reply.
_LOOK = 5.0


class Lost(Exception):
    """The answer to the current command will not come."""

    def __init__(self, silence: Silence) -> None:
        super().__init__(silence.detail)
        self.silence = silence


class Wire(asyncio.Protocol):
    """One connection's words. `say`, then `hear` once for each reply that is due."""

    def __init__(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is not a subclass
        self._loop = asyncio.get_running_loop()
        self._buffer = b""
        self._text: list[str] = []  # of a reply that is not complete
        self._size = 0  # of its lines, in bytes
        self._replies: deque[Reply] = deque()
        self._due = 0  # replies that were asked for and are not heard
        self._end: Silence | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._late_at = 0.0  # when the reply that is waited for is late, by the loop's clock
        self._look: asyncio.TimerHandle | None = None
        self._look_at = 0.0
        self._transport.set_protocol(self)

    @property
    def open(self) -> bool:
        """Whether it can be spoken to."""
        return self._end is None and not self._transport.is_closing()

    def say(self, words: bytes, replies: int = 1) -> None:
        """Write `words`, which ask for that many replies."""
        if not self.open:
            raise Lost(self._end or Silence("dropped", "the connection is closed"))
        self._due += replies
        self._transport.write(words)

    async def hear(self, limit: float) -> Reply:
        """The next reply, within `limit` seconds. Raises Lost; the connection is closed then."""
        if not self._replies and self._end is None:
            self._waiter = self._loop.create_future()
            self._watch(limit)
            try:
                await self._waiter
            finally:
                self._waiter = None
        if not self._replies:
            raise Lost(self._end or Silence("dropped", "the connection is closed"))
        self._due -= 1
        return self._replies.popleft()

    def _watch(self, limit: float) -> None:
        """Let the current wait end after `limit` seconds."""
        now = self._loop.time()
        self._late_at = now + limit
        wanted = min(self._late_at, now + _LOOK)
        if self._look is None or self._look_at > wanted:
            self._look_again(wanted)

    def _look_again(self, at: float) -> None:
        if self._look is not None:
            self._look.cancel()
        self._look, self._look_at = self._loop.call_at(at, self._look_now), at

    def _look_now(self) -> None:
        self._look = None
        if self._waiter is None:
            return
        now = self._loop.time()
        if now >= self._late_at:
            self._finish(Silence("timeout", "no reply in time"))
        else:
            self._look_again(min(self._late_at, now + _LOOK))

    async def flushed(self) -> None:
        """Until the socket has all that was written: uvloop writes at the end of a round."""
        for _ in range(500):
            await asyncio.sleep(0.01)
            if not self.open or not self._transport.get_write_buffer_size():
                return

    def close(self, last: bytes = b"") -> None:
        """Hang up, with a last word that nobody waits for."""
        if last and self.open:
            self._transport.write(last)
        self._finish(Silence("dropped", "the connection is closed"))

    def data_received(self, data: bytes) -> None:
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            if self._end is None:
                self._line(line.removesuffix(b"\r"))
        if len(self._buffer) > _MOST:
            self._finish(Silence("dropped", "a reply without end"))
        if self._replies and self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _line(self, line: bytes) -> None:
        found = _LINE.fullmatch(line)
        if found is None:
            self._finish(Silence("dropped", f"no SMTP reply: {line[:80]!r}"))
            return
        code, more, words = found.groups()
        said = words.decode("utf-8", "replace") if words else ""
        if more == b"-":
            self._text.append(said)
            self._size += len(line)  # counted on: to add them up for each took minutes of all lanes
            if self._size > _MOST:
                self._finish(Silence("dropped", "a reply without end"))
            return
        if self._text:
            said, self._text, self._size = "\n".join([*self._text, said]), [], 0
        reply = Reply(int(code), said)
        if len(self._replies) >= self._due:
            self._finish(Silence("dropped", f"unasked: {reply}"))
            return
        self._replies.append(reply)

    def eof_received(self) -> bool:
        self._finish(Silence("dropped", "the server hung up"))
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._finish(Silence("dropped", str(exc) if exc else "the connection was lost"))

    def _finish(self, silence: Silence) -> None:
        """No reply comes any more. Those that came before are still heard."""
        self._end = self._end or silence
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
        if self._look is not None:
            self._look.cancel()
            self._look = None
        self._transport.close()
