"""Ringing never waits for Redis, and hearing outlives whatever Redis does."""

import asyncio
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from arq.worker import Worker
from hypothesis import given
from hypothesis import strategies as st

from orchestrator import doorbells, jobs, jobs_wire
from orchestrator.doorbells import Doorbells
from orchestrator.embedded import Embedded
from orchestrator.wiring import make_redis


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Embedded]:
    """A Valkey of this test's own."""
    with Embedded(tmp_path, postgres=False) as servers:
        yield servers


@given(st.text(min_size=1), st.integers(0, 99))
def test_a_canary_comes_back_as_it_was_sent(worker: str, hops: int) -> None:
    assert jobs_wire.read_canary(jobs_wire.canary(worker, hops)) == (worker, hops)


@pytest.mark.parametrize("other", ["plan", "canary", "canary:", "canary:1:", "canary:x:w", "x:1:w"])
def test_other_bells_are_no_canaries(other: str) -> None:
    assert jobs_wire.read_canary(other) is None


async def test_a_hanging_redis_holds_one_ring_of_a_kind(
    redis: Embedded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doorbells, "_PATIENCE", 0.2)
    pool = make_redis(redis.endpoints.redis_url)
    bells = Doorbells()
    assert redis._redis is not None
    redis._redis.send_signal(signal.SIGSTOP)
    try:
        before = len(asyncio.all_tasks())
        began = time.perf_counter()
        for _ in range(5000):
            bells.ring(pool, "read")
            bells.ring(pool, "send")
        rung = time.perf_counter() - began
        assert len(asyncio.all_tasks()) - before <= 2
        await asyncio.sleep(0)
        assert rung < 5, "ringing waits for Redis"
        await bells.close()
    finally:
        redis._redis.send_signal(signal.SIGCONT)
        await pool.aclose()


async def test_what_is_rung_meanwhile_is_rung_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    rung: list[str] = []

    async def slowly(_: object, what: str) -> None:
        rung.append(what)
        await asyncio.sleep(0.02)

    monkeypatch.setattr(doorbells, "_enqueue", slowly)
    bells = Doorbells()
    for _ in range(50):
        bells.ring(None, "send")  # type: ignore[arg-type]  # nothing is enqueued
    await asyncio.sleep(0.2)
    assert rung == ["send", "send"]


async def heard(pool: object, bells: Doorbells, ear: jobs.Ear, *, seconds: float) -> bool:
    """Whether a canary comes through within `seconds` from now."""
    since = asyncio.get_running_loop().time()
    until = since + seconds
    while asyncio.get_running_loop().time() < until:
        bells.ring(pool, jobs_wire.canary("me"))  # type: ignore[arg-type]  # an ArqRedis
        await asyncio.sleep(0.2)
        if ear.heard_at > since:
            return True
    return False


@pytest.mark.parametrize("outage", ["frozen", "killed", "flushed", "read_only", "full"])
async def test_a_listener_comes_back_by_itself(
    redis: Embedded, monkeypatch: pytest.MonkeyPatch, outage: str
) -> None:
    monkeypatch.setattr(jobs, "DEAF_SECONDS", 3.0)
    ear, stop, bells = jobs.Ear(), asyncio.Event(), Doorbells()
    url = redis.endpoints.redis_url
    pool = make_redis(url)

    def ring(what: str) -> None:
        if jobs_wire.read_canary(what):
            ear.hear()

    listening = asyncio.create_task(jobs.listen(url, ring, stop, ear))
    try:
        assert await heard(pool, bells, ear, seconds=20)
        await break_redis(redis, outage)
        through = await heard(pool, bells, ear, seconds=5)
        assert through == (outage == "flushed")
        await mend_redis(redis, outage)
        assert await heard(pool, bells, ear, seconds=30)
        stop.set()
        await asyncio.wait_for(listening, 10)
    finally:
        listening.cancel()
        await bells.close()
        await pool.aclose()


async def break_redis(redis: Embedded, outage: str) -> None:
    """Make Redis ill."""
    assert redis._redis is not None
    if outage == "frozen":
        redis._redis.send_signal(signal.SIGSTOP)
    elif outage == "killed":
        redis.stop_redis(kill=True)
    else:
        await command(redis, {"flushed": "flushall", "read_only": "replicaof 127.0.0.1 1"}, outage)


async def mend_redis(redis: Embedded, outage: str) -> None:
    """Make it well again."""
    if outage == "frozen":
        assert redis._redis is not None
        redis._redis.send_signal(signal.SIGCONT)
    elif outage == "killed":
        redis.start_redis()
    else:
        await command(redis, {"flushed": "ping", "read_only": "replicaof no one"}, outage)


async def command(redis: Embedded, words: dict[str, str], outage: str) -> None:
    size = "0" if outage == "full" and "ping" in words.values() else "1"
    said = words.get(outage, f"config set maxmemory {size}")
    pool = make_redis(redis.endpoints.redis_url)
    await pool.execute_command(*said.split())
    await pool.aclose()


async def test_a_cancellation_that_was_swallowed_is_repeated() -> None:
    """A worker that was asked to stop went on polling Redis until it was killed."""
    swallowed = 0

    async def deaf() -> None:
        nonlocal swallowed
        while swallowed < 2:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                swallowed += 1
        await asyncio.sleep(60)

    running = asyncio.create_task(deaf())
    await asyncio.sleep(0)
    ended = await asyncio.wait_for(jobs._end(running), 20)
    assert (swallowed, type(ended)) == (2, asyncio.CancelledError)


async def test_jobs_that_were_cancelled_do_not_cancel_who_discards_their_worker() -> None:
    """A worker stopped for longer than a job may take ended with a traceback after SIGTERM."""

    class Cancelled:
        closed = False

        async def close(self) -> None:
            raise asyncio.CancelledError

        async def aclose(self) -> None:
            self.closed = True

        @property
        def pool(self) -> "Cancelled":
            return self

    worker = Cancelled()
    await jobs._discard(cast(Worker, worker))
    assert worker.closed
