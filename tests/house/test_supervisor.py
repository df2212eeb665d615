"""Children of the supervisor: restarted when they die, ended when we end, killed when we are."""

import asyncio
import os
import signal
import subprocess
import sys
import time

import pytest

from orchestrator import supervisor
from orchestrator.supervisor import Child, Supervisor


def program(code: str) -> Child:
    """A child that runs `code`."""
    return Child("test", ("-c", code))


async def run_until(child: Child, enough: int) -> tuple[list[str], float]:
    """What the child says until `enough` lines came, and how long its end took."""
    lines: list[str] = []
    made: Supervisor

    def say(_name: str, line: str) -> None:
        lines.append(line)
        if len(lines) >= enough:
            made.stop.set()

    made = Supervisor(os.environ, say)
    keeping = asyncio.create_task(made.keep(child))
    await asyncio.wait_for(made.stop.wait(), 10)
    started = time.monotonic()
    await keeping
    return lines, time.monotonic() - started


async def test_a_child_that_dies_starts_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "_FIRST_PAUSE", 0.01)
    lines, _ = await run_until(program("print('here', flush=True); raise SystemExit(3)"), 5)
    assert lines[:4] == [
        "here",
        "ended with 3; starts again in 0.01 s",
        "here",
        "ended with 3; starts again in 0.02 s",
    ]


async def test_a_child_that_waits_is_asked_to_end() -> None:
    lines, seconds = await run_until(
        program("import time; print('up', flush=True); time.sleep(600)"), 1
    )
    assert lines == ["up"]
    assert seconds < 3


async def test_a_child_that_will_not_end_is_made_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "_PATIENCE", 0.2)
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)"
    _, seconds = await run_until(program(f"{deaf}; print('up', flush=True); time.sleep(600)"), 1)
    assert seconds < 3


async def test_a_line_without_end_does_not_fill_the_memory() -> None:
    endless = "import sys; sys.stdout.write('x' * 3_000_000 + chr(10)); print('after', flush=True)"
    lines, _ = await run_until(program(f"{endless}; import time; time.sleep(600)"), 2)
    assert all(len(line) <= 1 << 20 for line in lines)


PARENT = """
import asyncio, os
from orchestrator.supervisor import Child, Supervisor
child = Child("c", ("-c", "import os, time; print(os.getpid(), flush=True); time.sleep(600)"))
asyncio.run(Supervisor(os.environ, lambda name, line: print(line, flush=True)).keep(child))
"""


def test_a_child_does_not_outlive_a_parent_that_is_killed() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent.stdout:
        child = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
        parent.wait(5)
    deadline = time.monotonic() + 5
    while _alive(child) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _alive(child)


def _alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
