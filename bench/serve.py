"""An application behind uvicorn, as `avtale api` serves it, in a process of its own:

    python -m bench.serve noop|gif|product|MODULE:FACTORY

prints its port on the first line, and serves until SIGTERM. `noop` and `gif` are the ceilings: raw
ASGI, one answer for everything.
"""

import argparse
import asyncio
import importlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from orchestrator.commands.server import SERVING
from orchestrator.config import Settings
from orchestrator.house import environment
from orchestrator.loading import loading

GIF = bytes.fromhex(
    "47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b"
)


def _fixed(status: int, media_type: bytes, body: bytes) -> Any:
    """A raw ASGI application that reads the body and answers the same each time."""
    headers = [(b"content-type", media_type), (b"content-length", str(len(body)).encode())]
    start = {"type": "http.response.start", "status": status, "headers": headers}
    rest = {"type": "http.response.body", "body": body}

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            while (await receive()).get("more_body"):
                pass
            await send(start)
            await send(rest)

    return answer


def _application(name: str) -> Any:
    if name == "noop":
        return _fixed(200, b"application/json", b"")
    if name == "gif":
        return _fixed(200, b"image/gif", GIF)
    if name == "product":
        name = "orchestrator.api.app:create_app"
    module, _, factory = name.partition(":")
    return getattr(importlib.import_module(module), factory)()


def main(name: str) -> None:
    """Serve `name` until SIGTERM."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(512)
        lifespan = {"lifespan": "off"} if name in ("noop", "gif") else {}
        with loading():  # as `avtale api` does
            application = _application(name)
        server = uvicorn.Server(
            uvicorn.Config(application, proxy_headers=False, **(SERVING | lifespan))
        )
        print(listener.getsockname()[1], flush=True)
        server.run(sockets=[listener])


@dataclass(frozen=True)
class Served:
    """A server that runs."""

    port: int
    pid: int

    def cpu(self) -> float:
        """Seconds of processor time so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@asynccontextmanager
async def serving(name: str, settings: Settings | None = None) -> AsyncIterator["Served"]:
    """A `bench.serve` in a process of its own, which logs as much as it does by default, to
    nowhere."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.serve", name),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=environment(settings) if settings else None,
    )
    assert child.stdout is not None
    try:
        yield Served(int(await child.stdout.readline()), child.pid)
    finally:
        child.send_signal(signal.SIGTERM)
        await child.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("name")
    main(parser.parse_args().name)
