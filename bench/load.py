"""A load generator for HTTP/1.1 that is no limit of what it measures, in a process of its own:

    python -m bench.load --port 8400 --connections 50 REQUESTS

sends each request of the file REQUESTS once (`write_requests`), on connections that stay open, each
with one request under way; then prints a line of JSON: seconds, statuses, p50 and p99 in ms.
"""

import argparse
import asyncio
import json
import struct
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, cast

import uvloop

_LENGTH = struct.Struct("<I")


def request(method: str, path: str, headers: Iterable[tuple[str, str]], body: bytes = b"") -> bytes:
    """The bytes of one request."""
    lines = [f"{method} {path} HTTP/1.1", "host: bench.example"]
    lines += [f"{name}: {value}" for name, value in headers]
    if body:
        lines.append(f"content-length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def write_requests(path: Path, requests: Iterable[bytes]) -> None:
    """A file of requests, each after its length."""
    with path.open("wb") as file:
        for one in requests:
            file.write(_LENGTH.pack(len(one)) + one)


def _read_requests(path: Path) -> Iterator[bytes]:
    content = path.read_bytes()
    at = 0
    while at < len(content):
        (length,) = _LENGTH.unpack_from(content, at)
        yield content[at + 4 : at + 4 + length]
        at += 4 + length


class Run:
    """What is left to send, and what came back."""

    def __init__(self, requests: Iterator[bytes]) -> None:
        self.left = requests
        self.took: list[float] = []
        self.statuses: Counter[str] = Counter()
        self.open = 0
        self.done = asyncio.Event()


class Connection(asyncio.Protocol):
    """One connection: a request, its answer, the next request."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._buffer = b""
        self._sent = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is not a subclass
        self._run.open += 1
        self._next()

    def _next(self) -> None:
        one = next(self._run.left, None)
        if one is None:
            self._transport.close()
            return
        self._sent = time.perf_counter()
        self._transport.write(one)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._buffer[:end].lower()
        at = head.find(b"content-length:")
        length = int(head[at + 15 :].partition(b"\r\n")[0]) if at >= 0 else 0
        if len(self._buffer) < end + 4 + length:
            return
        self._run.took.append(time.perf_counter() - self._sent)
        self._run.statuses[head[9:12].decode()] += 1
        self._buffer = self._buffer[end + 4 + length :]
        self._next()

    def connection_lost(self, error: Exception | None) -> None:
        self._run.open -= 1
        if self._run.open == 0:
            self._run.done.set()


async def send(port: int, connections: int, requests: Iterator[bytes]) -> dict[str, Any]:
    """Send them all. Fewer answers than requests show in `statuses`."""
    run = Run(requests)
    loop = asyncio.get_running_loop()
    began = time.perf_counter()
    for _ in range(connections):
        await loop.create_connection(lambda: Connection(run), "127.0.0.1", port)
    await run.done.wait()
    took = sorted(run.took)
    return {
        "seconds": time.perf_counter() - began,
        "statuses": dict(run.statuses),
        "p50": took[len(took) // 2] * 1000,
        "p99": took[len(took) * 99 // 100] * 1000,
    }


async def rate(port: int, requests: Path, *, connections: int = 50) -> dict[str, Any]:
    """Run this in a process of its own; what it prints, with `rate` a second."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.load", "--port", str(port)),
        *("--connections", str(connections), str(requests)),
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[1],
    )
    told, _ = await child.communicate()
    if child.returncode:
        raise RuntimeError("the load generator failed")
    found: dict[str, Any] = json.loads(told)
    return found | {"rate": sum(found["statuses"].values()) / found["seconds"]}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--connections", type=int, default=50)
    parser.add_argument("requests", type=Path)
    asked = parser.parse_args()
    found = uvloop.run(send(asked.port, asked.connections, iter([*_read_requests(asked.requests)])))
    print(json.dumps(found))
