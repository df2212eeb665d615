"""The runner: a path that fails does not end the run, and a run that is ended leaves nothing."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bench import __main__ as runner
from bench import noise
from bench.measure import PATHS, Comparison, Measure, Reading, Size, path
from bench.place import ROOT
from bench.results import Results


@pytest.fixture(autouse=True)
def _paths_of_this_test() -> Iterator[None]:
    before = dict(PATHS)
    PATHS.clear()
    yield
    PATHS.clear()
    PATHS.update(before)


def add(name: str, value: float, *, at_least: float = 0.5, minutes: float = 1) -> list[str]:
    """A path that returns at once; what happens to it is noted in the list."""
    seen: list[str] = []

    @path(name, minutes=minutes)
    @asynccontextmanager
    async def place(size: Size) -> AsyncIterator[list[Measure]]:
        async def ours() -> float:
            if value < 0:
                raise RuntimeError("the sink went away\nfor good")
            if value == 0:
                await asyncio.sleep(60)
            return value

        async def ceiling() -> float:
            return 1.0

        seen.append(size)
        try:
            arms = {"ours": ours, "ceiling": ceiling}
            yield [Comparison(name, "ours", "ceiling", "x/s", arms, at_least)]
        finally:
            seen.append("down")

    return seen


def test_a_path_that_fails_says_so_and_the_others_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    failing, fine = add("a", -1), add("b", 1)
    kept = Results.load(tmp_path / "found.json", "quick")
    assert asyncio.run(runner.run(["a", "b"], "quick", 2, kept)) == 1
    assert (failing, fine) == (["quick", "down"], ["quick", "down"])
    paths = json.loads((tmp_path / "found.json").read_text())["paths"]
    assert paths["a"]["failed"] == "RuntimeError: the sink went away"
    assert paths["b"]["failed"] is None
    assert paths["b"]["results"][0]["ratio"]["median"] == 1
    assert "a: FAILED" in capsys.readouterr().out


async def test_two_ratios_of_the_same_arms_are_measured_once() -> None:
    calls: list[str] = []

    async def ours() -> float:
        calls.append("ours")
        return 4.0

    async def ceiling() -> float:
        calls.append("ceiling")
        return 8.0

    async def usual() -> float:
        calls.append("usual")
        return 1.0

    @path("twice")
    @asynccontextmanager
    async def place(_size: Size) -> AsyncIterator[list[Measure]]:
        arms = {"ours": ours, "ceiling": ceiling, "usual": usual}
        yield [
            Comparison("a", "ours", "ceiling", "x/s", arms, 0.4),
            Comparison("a", "ours", "usual", "x/s", {"ours": ours, "usual": usual}, 3),
            Comparison("a", "ours", "usual", "x/s", {"ours": ours, "usual": ceiling}),
        ]

    kept = Results.load(None, "quick")
    assert await runner.run_path("twice", "quick", 1, kept)
    ratios = [one["ratio"]["median"] for one in kept.data["paths"]["twice"]["results"]]
    assert ratios == [0.5, 4.0, 0.5]
    assert calls == ["ours", "ceiling", "usual", "ours", "ceiling"]


def test_a_path_that_takes_too_long_is_cut() -> None:
    seen = add("slow", 0, minutes=0.001)
    kept = Results.load(None, "quick")
    assert asyncio.run(runner.run(["slow"], "quick", 2, kept)) == 1
    assert seen == ["quick", "down"]
    assert kept.data["paths"]["slow"]["failed"] == "TimeoutError: took too long"


def test_the_exit_code_tells_a_missed_bound_from_a_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(runner, "load", dict[str, str])
    add("fine", 1)
    assert runner.main(["--rounds", "1"]) == 0
    add("short", 0.4)
    assert runner.main(["--rounds", "1"]) == 1
    assert runner.main(["--rounds", "1", "--quick"]) == 0
    assert runner.main(["--rounds", "1", "fine"]) == 0
    add("broken", -1)
    assert runner.main(["--rounds", "1", "--quick"]) == 2
    assert "**not met**" in capsys.readouterr().out


def test_an_unknown_path_is_refused_with_those_that_there_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(runner, "load", dict[str, str])
    add("send", 1)
    with pytest.raises(SystemExit) as ended:
        runner.main(["sned"])
    assert ended.value.code == 2
    assert "no such path: sned; there are send" in capsys.readouterr().err


def test_a_busy_machine_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr(os, "getloadavg", lambda: (5.5, 1.0, 1.0))
    assert "5.5 on 2 cores" in (noise.busy() or "")
    monkeypatch.setattr(os, "getloadavg", lambda: (0.3, 5.0, 5.0))
    assert noise.busy() is None


def test_the_yardstick_measures_itself() -> None:
    watch = noise.Noise()
    watch.look()
    watch.look()
    told = watch.told()
    assert len(told["yardstick_ms"]) == 2
    assert all(one > 0 for one in told["yardstick_ms"])
    assert 0 <= told["stolen"] <= 1


def children_of(pid: int) -> set[int]:
    """All processes below `pid`."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            words = stat.read_text().rpartition(")")[2].split()
            if int(words[1]) == pid:
                found |= {int(stat.parent.name)} | children_of(int(stat.parent.name))
    return found


def alive(pid: int) -> bool:
    """Whether it runs; what has ended and was not looked at by its new parent does not."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return False
    return words[0] != "Z"


async def test_what_breaks_while_a_run_is_ended_does_not_make_it_go_on() -> None:
    @path("stubborn")
    @asynccontextmanager
    async def place(_size: Size) -> AsyncIterator[list[Measure]]:
        async def take() -> dict[str, float]:
            await asyncio.sleep(60)
            return {}

        try:
            yield [Reading("waits", "s", take)]
        finally:
            raise ProcessLookupError("the sink is gone already")

    after = add("after", 1)
    running = asyncio.create_task(
        runner.run(["stubborn", "after"], "quick", 1, Results.load(None, "quick"))
    )
    await asyncio.sleep(0.2)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert after == []


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_ended_takes_its_servers_with_it(
    tmp_path: Path, number: signal.Signals
) -> None:
    """As at a terminal: the signal reaches the whole group of processes."""
    running = subprocess.Popen(
        [sys.executable, "-m", "bench", "send", "lanes", "--quick"],
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert running.stdout is not None
    try:
        for line in running.stdout:
            if "round 1" in line:
                break
        below = children_of(running.pid)
        assert len(below) >= 3  # the sink, PostgreSQL, Redis
        os.killpg(running.pid, number)
        assert running.wait(60) == 130
        until = time.monotonic() + 10
        while (left := [one for one in below if alive(one)]) and time.monotonic() < until:
            time.sleep(0.1)
        assert [Path(f"/proc/{one}/cmdline").read_text() for one in left] == []
        assert list(tmp_path.glob("avtale-bench-*")) == []
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
        running.stdout.close()
        assert running.stderr is not None
        running.stderr.close()
        running.wait()


async def test_a_reading_that_fails_halfway_keeps_what_was_measured_before() -> None:
    async def good() -> dict[str, float]:
        return {"p50": 1.0}

    async def bad() -> dict[str, float]:
        raise OSError("gone")

    @path("half")
    @asynccontextmanager
    async def place(_size: Size) -> AsyncIterator[list[Measure]]:
        yield [Reading("first", "ms", good), Reading("second", "ms", bad)]

    kept = Results.load(None, "quick")
    assert not await runner.run_path("half", "quick", 1, kept)
    found = kept.data["paths"]["half"]
    assert [one["name"] for one in found["results"]] == ["first"]
    assert found["failed"] == "OSError: gone"
