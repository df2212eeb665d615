"""Two worker processes beside one: the same messages, and where each core's time went."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import text

from bench.measure import Comparison, Size, path
from bench.place import ROOT, Clock, due_again, people_due, product, sink
from orchestrator.db import transaction
from orchestrator.house import environment
from orchestrator.store import heartbeats
from orchestrator.wiring import App

CONNECTIONS = 10


@path("workers")
@asynccontextmanager
async def workers(size: Size) -> AsyncIterator[list[Comparison]]:
    """`avtale worker` once and twice, ten connections each, one sink, four senders."""
    count = 200 if size == "quick" else 6_000
    async with sink() as port, product(send_connections=CONNECTIONS, sweep_seconds=0.2) as app:
        await people_due(app, count, 4, port)
        notes: dict[str, Any] = {"cpus": os.cpu_count()}

        async def one() -> float:
            return await _rate(app, count, 1, notes)

        async def two() -> float:
            return await _rate(app, count, 2, notes)

        yield [
            Comparison(
                "two worker processes", "two", "one", "messages/s", {"two": two, "one": one},
                1.6, notes=notes,
            )
        ]  # fmt: skip


async def _rate(app: App, count: int, processes: int, notes: dict[str, Any]) -> float:
    """Messages a second from the first that is handed over to the last that is settled. What each
    party took of the processor meanwhile goes into `notes`."""
    await due_again(app)
    await _do(app, "update messages set due_at = now() + interval '1 hour'")
    await _do(app, "delete from heartbeats")
    children = [await _start(app) for _ in range(processes)]
    try:
        async with asyncio.timeout(120):
            while len(await _alive(app)) < processes:
                if any(child.returncode is not None for child in children):
                    raise RuntimeError("a worker ended at once")
                await asyncio.sleep(0.1)
            before, clock = await _cpu(app, children), Clock()
            await _do(app, "update messages set due_at = now() - interval '1 minute'")
            sent = "select count(*) from messages where state = 'sent'"
            while await _do(app, sent) < count:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.1)
        took, after = clock.seconds, await _cpu(app, children)
    finally:
        for child in children:
            if child.returncode is None:
                child.send_signal(signal.SIGTERM)
            await child.wait()
    shares = {who: round((after[who] - before[who]) / took, 2) for who in after}
    notes[f"cores used, {processes} at work"] = shares
    notes[f"limit, {processes} at work"] = _limit(shares, processes)
    span = "extract(epoch from max(settled_at) - min(handed_at))"
    return count / float(await _do(app, f"select {span} from messages"))


def _limit(shares: dict[str, float], processes: int) -> str:
    """Whose core is full; the machine's, when all are in use; else what is waited for."""
    used = sum(shares.values())
    if used > 0.9 * (os.cpu_count() or 1):
        return f"the processor: {used:.2f} of {os.cpu_count()} cores by these alone"
    if shares["workers"] > 0.85 * processes:
        return "Python, a core each"
    if shares["sink"] > 0.85:
        return "the sink"
    return "PostgreSQL" if shares["postgres"] > 0.85 else "waits (or others on the machine)"


async def _start(app: App) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "orchestrator.cli", "worker"),
        cwd=ROOT,
        env=environment(app.settings),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )


async def _alive(app: App) -> list[dict[str, Any]]:
    async with transaction(app.engine) as conn:
        return await heartbeats.alive(conn, seconds=60)


async def _do(app: App, words: str) -> Any:
    async with transaction(app.engine) as conn:
        done = await conn.execute(text(words))
        return done.scalar() if done.returns_rows else None


async def _cpu(app: App, children: list[asyncio.subprocess.Process]) -> dict[str, float]:
    """Seconds of processor time so far, by party."""
    server = _parent(await _do(app, "select pg_backend_pid()"))
    return {
        "workers": sum(_seconds(child.pid) for child in children),
        "postgres": _seconds(server, ended=True) + sum(map(_seconds, _children(server))),
        "sink": sum(_seconds(pid) for pid in _children(os.getpid()) if _is_sink(pid)),
        "measuring": _seconds(os.getpid()),
    }


def _stat(pid: int) -> list[str]:
    """The fields of `/proc/PID/stat` after the name: state, parent, ... (man proc)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:  # it has ended
        return []


def _seconds(pid: int, *, ended: bool = False) -> float:
    fields = _stat(pid)
    ticks = sum(map(int, fields[11 : 15 if ended else 13]))  # with `ended`: children that were
    return ticks / os.sysconf("SC_CLK_TCK")


def _parent(pid: int) -> int:
    return int(_stat(pid)[1])


def _children(pid: int) -> Iterator[int]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and (fields := _stat(int(entry.name))) and int(fields[1]) == pid:
            yield int(entry.name)


def _is_sink(pid: int) -> bool:
    return b"bench.sink" in Path(f"/proc/{pid}/cmdline").read_bytes()
