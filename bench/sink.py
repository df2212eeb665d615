"""The smallest SMTP server that is still one (RFC 5321, 2920): takes everything, keeps nothing.

    python -m bench.sink [--delay-ms 40]

prints its port on the first line, and on SIGTERM how many mails it took. It must not be the limit
of a measurement: smtp-source reaches 6,000 mails a second or more against it on the machine of
`docs/performance.md` while other work runs there.
"""

import argparse
import asyncio
import signal
from typing import cast

import uvloop

_EHLO = b"250-sink.example\r\n250-8BITMIME\r\n250-SIZE 52428800\r\n250 PIPELINING\r\n"
_END = b"\r\n.\r\n"


class Sink(asyncio.Protocol):
    """One connection."""

    taken = 0
    delay = 0.0  # seconds that each answer is late: the round trip of a provider far away

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is not a subclass
        self._buffer = b""
        self._in_data = False
        self._say(b"220 sink.example ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        answers = []
        while True:
            if self._in_data:
                at = self._buffer.find(_END)
                if at < 0:
                    break
                self._buffer = self._buffer[at + len(_END) :]
                self._in_data = False
                Sink.taken += 1
                answers.append(b"250 2.0.0 taken\r\n")
                continue
            at = self._buffer.find(b"\r\n")
            if at < 0:
                break
            line, self._buffer = self._buffer[:at], self._buffer[at + 2 :]
            answers.append(self._answer(line[:4].upper()))
        if answers:
            self._say(b"".join(answers))

    def _answer(self, verb: bytes) -> bytes:
        if verb == b"EHLO":
            return _EHLO
        if verb == b"DATA":
            self._in_data = True
            return b"354 go on\r\n"
        if verb == b"QUIT":
            return b"221 bye\r\n"
        return b"250 2.1.0 fine\r\n"

    def _say(self, words: bytes) -> None:
        if self.delay:
            asyncio.get_running_loop().call_later(self.delay, self._write, words)
        else:
            self._transport.write(words)

    def _write(self, words: bytes) -> None:
        if not self._transport.is_closing():  # whoever was to hear it may have hung up meanwhile
            self._transport.write(words)


async def serve(delay: float) -> None:
    """Until SIGTERM."""
    Sink.delay = delay
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Sink, "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGINT, stop.set)
    await stop.wait()
    server.close()
    print(Sink.taken, flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--delay-ms", type=float, default=0.0)
    uvloop.run(serve(parser.parse_args().delay_ms / 1000))
