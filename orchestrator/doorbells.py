"""Ringing: wake a worker through Redis, without ever waiting for Redis.

One ring of each kind is on its way at a time. What is rung meanwhile goes with one more: while
Redis hangs, a thousand requests a second leave one waiting ring, not a thousand connections.
"""

import asyncio

import structlog
from arq.connections import ArqRedis

from orchestrator import jobs_wire

log = structlog.get_logger()

_PATIENCE = 2.0  # seconds: then the bell is lost, and the loops look by themselves
# Between two rings of a kind: one takes 0.6 ms here and as much of a worker, and a process that
# commits provider events without a pause would ring after every commit.
_PAUSE = 0.02


class Doorbells:
    """The bells that one process rings."""

    def __init__(self) -> None:
        self._ringing: dict[str, asyncio.Task[None]] = {}
        self._again: set[str] = set()
        self._closed = False

    def ring(self, redis: ArqRedis, what: str) -> None:
        """Wake a worker for `what`. Returns at once; a bell that is lost costs latency only."""
        if what in self._ringing:
            self._again.add(what)
            return
        task = asyncio.get_running_loop().create_task(_ring(redis, what))
        self._ringing[what] = task

        def done(_: asyncio.Task[None]) -> None:
            del self._ringing[what]
            if what in self._again and not self._closed:
                self._again.discard(what)
                self.ring(redis, what)

        task.add_done_callback(done)

    async def close(self) -> None:
        """Let the last bells ring for a second, and no longer."""
        if self._ringing:
            await asyncio.wait(set(self._ringing.values()), timeout=1)
        self._closed = True
        for task in set(self._ringing.values()):
            task.cancel()


async def _ring(redis: ArqRedis, what: str) -> None:
    await _enqueue(redis, what)
    await asyncio.sleep(_PAUSE)


async def _enqueue(redis: ArqRedis, what: str) -> None:
    try:
        async with asyncio.timeout(_PATIENCE):
            await redis.enqueue_job("ring", what, _queue_name=jobs_wire.QUEUE)
    except Exception as error:  # noqa: BLE001 - whatever Redis does, the sweeper comes anyway
        log.debug("doorbell.lost", what=what, error=type(error).__name__)
