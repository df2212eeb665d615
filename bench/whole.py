"""The whole service as `avtale up` runs it, in processes of its own."""

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from orchestrator.config import Settings
from orchestrator.endpoints import find_servers

_PATIENCE = 120.0  # seconds


def free_port() -> int:
    """A port that nobody has just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Whole:
    """An `avtale up` that is ready."""

    settings: Settings
    process: asyncio.subprocess.Process
    seconds: float  # from its start until /readyz said so

    def pid(self, name: str) -> int:
        """The process id of its `api` or `worker`."""
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and _parent(entry) == self.process.pid:
                words = (entry / "cmdline").read_bytes().split(b"\0")
                if name.encode() in words:
                    return int(entry.name)
        raise RuntimeError(f"there is no {name}")


def _parent(entry: Path) -> int:
    try:
        return int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def memory_mb(pid: int) -> float:
    """The proportional share of memory (PSS) of a process, in MB."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1000
    raise RuntimeError("the kernel tells no PSS")


@asynccontextmanager
async def whole(home: Path, **env: str) -> AsyncIterator[Whole]:
    """`avtale up` on the data directory `home`, from its start until it is told to end."""
    port = free_port()
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AVTALE_")}
    began = time.perf_counter()
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "orchestrator.cli", "up"),
        *("--port", str(port), "--data-dir", str(home)),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        env=clean | {"AVTALE_ENV_FILE": "", "AVTALE_LOG_LEVEL": "WARNING"} | env,
    )
    try:
        await _ready(port, child)
        took = time.perf_counter() - began
        settings = Settings(_env_file=None, data_dir=home)
        while not (home / "endpoints.json").exists():  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.01)
        yield Whole(find_servers(settings), child, took)
    finally:
        child.send_signal(signal.SIGINT)
        await child.wait()


async def _ready(port: int, child: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(_PATIENCE), httpx.AsyncClient(trust_env=False) as client:
        while True:
            if child.returncode is not None:
                raise RuntimeError(f"avtale up ended with {child.returncode}")
            try:
                answer = await client.get(f"http://127.0.0.1:{port}/readyz")
                if answer.status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            await asyncio.sleep(0.01)
