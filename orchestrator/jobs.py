"""arq's part: doorbells. A job carries what to look at, wakes a loop, and may be lost or doubled.

`reference`: arq 0.28 ends a worker when Redis restarts, hangs on a frozen one, and says nothing on
a read-only one. So the worker here is rebuilt for ever, on a pool with timeouts, and nothing but
latency depends on it.
"""

import asyncio
import random
from collections.abc import Callable
from datetime import UTC
from typing import Any

import structlog
from arq.worker import Worker, func

from orchestrator import jobs_wire
from orchestrator.wiring import make_redis

log = structlog.get_logger()

Ring = Callable[[str], None]


def make_worker(redis_url: str, ring: Ring) -> Worker:
    """An arq worker that calls `ring(what)` for each doorbell."""

    async def on_ring(ctx: dict[Any, Any], what: str) -> None:
        ring(what)

    return Worker(
        functions=[func(on_ring, name="ring", keep_result=0, max_tries=1, timeout=10)],
        redis_pool=make_redis(redis_url),
        queue_name=jobs_wire.QUEUE,
        max_jobs=20,
        poll_delay=0.05,
        queue_read_limit=500,
        keep_result=0,
        job_timeout=10,
        job_serializer=jobs_wire.serialize,
        job_deserializer=jobs_wire.deserialize,
        handle_signals=False,
        timezone=UTC,
        health_check_interval=3600,
    )


class Ear:
    """Whether this worker hears its doorbells: the time of the last canary of its own."""

    def __init__(self) -> None:
        self.heard_at = float("-inf")  # the loop's clock

    def hear(self) -> None:
        """A canary of this worker has come through."""
        self.heard_at = asyncio.get_running_loop().time()


async def listen(redis_url: str, ring: Ring, stop: asyncio.Event, ear: Ear | None = None) -> None:
    """Answer doorbells until `stop`, through every outage of Redis. A listener that looks alive and
    hears nothing (a Redis that became read-only, or is full) is replaced as well."""
    loop = asyncio.get_running_loop()
    pause, away = 0.2, False
    while not stop.is_set():
        worker = make_worker(redis_url, ring)
        running = asyncio.create_task(worker.async_run())
        stopping = asyncio.create_task(stop.wait())
        started = loop.time()
        while not (running.done() or stopping.done()):
            await asyncio.wait(
                {running, stopping}, timeout=_LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
            if ear is not None and loop.time() - max(started, ear.heard_at) > DEAF_SECONDS:
                break
            if away and ear is not None and ear.heard_at > started:
                away = False
                log.info("doorbells.back")
        stopping.cancel()
        failure = await _end(running)
        await _discard(worker)
        if stop.is_set():
            return
        if ear is not None and ear.heard_at > started:
            pause = 0.2
        tell = log.debug if away else log.warning
        tell("doorbells.away", error=type(failure).__name__, meaning=_MEANING)
        away = True
        await asyncio.sleep(pause * (0.5 + random.random()))  # noqa: S311 - jitter, no secret
        pause = min(pause * 2, _LONGEST_PAUSE)


DEAF_SECONDS = 60.0  # four canaries
_LOOK_SECONDS = 1.0
_LONGEST_PAUSE = 5.0
_MEANING = "Redis wakes nobody: messages leave by the sweeper, about a second later each"


async def _end(running: asyncio.Task[None]) -> BaseException | None:
    """Cancel until it has ended: a cancellation that meets an answer of Redis is swallowed below
    arq, which then goes on polling, and a worker that was asked to stop would be killed instead."""
    while not running.done():
        running.cancel()
        await asyncio.wait({running}, timeout=0.2)
    return (await asyncio.gather(running, return_exceptions=True))[0]


async def _discard(worker: Worker) -> None:
    """Close a worker without waiting on a Redis that may not answer. Its jobs that were cancelled
    on the way raise CancelledError from `close`: as a task of its own that is none of ours."""
    for close in (worker.close, worker.pool.aclose):
        closing = asyncio.ensure_future(close())
        await asyncio.wait({closing}, timeout=1)
        closing.cancel()
        (failure,) = await asyncio.gather(closing, return_exceptions=True)
        if failure is not None:
            log.debug("doorbells.close", error=type(failure).__name__)
