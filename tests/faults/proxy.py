"""A TCP proxy that does what networks do: cuts, delays, goes silent, and cuts inside COMMIT.

    with proxying(("127.0.0.1", 2525)) as proxy: ...     # or the path of a unix socket
        proxy.delay = 0.2            # seconds, for each piece in each direction
        proxy.cut()                  # every connection ends at once
        proxy.silent = True          # half-open: connections stay, nothing comes through
    with proxying(socket, postgres=True) as proxy:
        proxy.commits = choose       # what happens to each COMMIT, see `Cut`

It runs in a thread with a loop of its own, so that scenarios can be plain functions. Attributes may
be set from any thread.
"""

import asyncio
import contextlib
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Target = tuple[str, int] | Path
# before: the server never sees the COMMIT. after: it has committed, and the client never hears so.
Cut = Literal["before", "after"]
# Given all that was asked within the transaction, one statement after the other.
Choose = Callable[[str], Cut | None]

_SSL, _GSS = 80877103, 80877104
_PIECE = 65536


@dataclass(eq=False)
class _Pair:
    """One connection of a client with the one to the target that belongs to it."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    statements: dict[bytes, str] = field(default_factory=dict)  # prepared, by name
    asked: list[str] = field(default_factory=list)  # since BEGIN
    swallow: bool = False  # the answer to a COMMIT is not to be heard

    def abort(self) -> None:
        for writer in (self.client, self.server):
            writer.transport.abort()


@dataclass(eq=False)
class Proxy:
    """The knobs of a running proxy, and what it did."""

    target: Target
    postgres: bool = False
    port: int = 0
    delay: float = 0.0
    silent: bool = False
    refuse: bool = False  # take connections and end them at once
    commits: Choose | None = None
    connections: int = 0
    cuts: dict[Cut, int] = field(default_factory=lambda: {"before": 0, "after": 0})
    _pairs: set[_Pair] = field(default_factory=set)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)

    def cut(self) -> int:
        """End every connection at once, without a goodbye. How many there were."""
        asked = asyncio.run_coroutine_threadsafe(self._cut(), self._loop)
        return asked.result(10)

    async def _cut(self) -> int:
        pairs = list(self._pairs)
        for pair in pairs:
            pair.abort()
        return len(pairs)

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self.target, Path):
            return await asyncio.open_unix_connection(str(self.target))
        return await asyncio.open_connection(*self.target)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        with contextlib.suppress(asyncio.CancelledError):  # asyncio says so on stderr otherwise
            await self._serve(reader, writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        if self.refuse:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await self._open()
        except OSError:
            writer.transport.abort()
            return
        pair = _Pair(writer, far_writer)
        self._pairs.add(pair)
        upward = self._up_postgres if self.postgres else self._up
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(upward(pair, reader))
                both.create_task(self._down(pair, far_reader))
        except* (ConnectionError, asyncio.IncompleteReadError, _Over):
            pass
        finally:
            self._pairs.discard(pair)
            pair.abort()

    async def _through(self, writer: asyncio.StreamWriter, piece: bytes) -> None:
        if self.delay:
            await asyncio.sleep(self.delay)
        while self.silent:  # noqa: ASYNC110 - set from another thread: nothing to be awaited
            await asyncio.sleep(0.02)
        writer.write(piece)
        await writer.drain()

    async def _up(self, pair: _Pair, reader: asyncio.StreamReader) -> None:
        while piece := await reader.read(_PIECE):
            await self._through(pair.server, piece)
        raise _Over

    async def _down(self, pair: _Pair, reader: asyncio.StreamReader) -> None:
        while piece := await reader.read(_PIECE):
            if pair.swallow:
                # CommandComplete says COMMIT; after an error it says ROLLBACK, which may be heard.
                if b"COMMIT\0" in piece:
                    self.cuts["after"] += 1
                    raise _Over
                pair.swallow = False
            await self._through(pair.client, piece)
        raise _Over

    async def _up_postgres(self, pair: _Pair, reader: asyncio.StreamReader) -> None:
        """PostgreSQL's protocol 3, message by message (its manual, 54.7)."""
        while True:  # what comes before the first typed message: SSL, GSS, then the startup
            head = await reader.readexactly(8)
            size, code = struct.unpack("!II", head)
            await self._through(pair.server, head + await reader.readexactly(size - 8))
            if code not in (_SSL, _GSS):
                break
        while True:
            head = await reader.readexactly(5)
            body = await reader.readexactly(struct.unpack("!I", head[1:])[0] - 4)
            what = self._seen(pair, head[:1], body)
            if what == "before":
                self.cuts["before"] += 1
                raise _Over
            if what == "after":
                pair.swallow = True
            await self._through(pair.server, head + body)

    def _seen(self, pair: _Pair, kind: bytes, body: bytes) -> Cut | None:
        """Keep track of the transaction; what is to happen when this message is its COMMIT."""
        if kind == b"P":  # Parse: name, statement
            name, statement, _ = body.split(b"\0", 2)
            pair.statements[name] = statement.decode(errors="replace")
        elif kind == b"B":  # Bind: portal, name of the statement
            pair.asked.append(pair.statements.get(body.split(b"\0", 2)[1], ""))
        elif kind == b"Q":
            words = body.rstrip(b"\0; ").upper()
            if words.startswith(b"BEGIN"):
                pair.asked.clear()
            elif words.startswith(b"COMMIT") and self.commits is not None:
                return self.commits("\n".join(pair.asked))
        return None


class _Over(Exception):
    """This connection ends, on both sides."""


@contextmanager
def proxying(target: Target, *, postgres: bool = False) -> Iterator[Proxy]:
    """A proxy to `target` on a free port of loopback, in a thread of its own."""
    proxy = Proxy(target, postgres)
    ready, stop = threading.Event(), asyncio.Event()

    async def run() -> None:
        server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
        proxy.port = server.sockets[0].getsockname()[1]
        ready.set()
        await stop.wait()
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def body() -> None:
        with contextlib.closing(proxy._loop):
            proxy._loop.run_until_complete(run())

    thread = threading.Thread(target=body, name="proxy")
    thread.start()
    try:
        if not ready.wait(10):
            raise TimeoutError("the proxy did not start")
        yield proxy
    finally:
        proxy._loop.call_soon_threadsafe(stop.set)
        thread.join(10)
