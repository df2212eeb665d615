"""The worker process: loops that look at PostgreSQL, woken early by doorbells.

Every loop is level-triggered: it asks what is due. Any number of workers may run; each takes what
no other has locked.
"""

import asyncio
import contextlib
import json
import os
import signal
import socket
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import structlog

from orchestrator import imap, jobs, jobs_wire, migrate, stages
from orchestrator.clock import database_now
from orchestrator.combiner import Combiner
from orchestrator.config import Settings
from orchestrator.db import check_server, transaction
from orchestrator.deliverer import Deliverer
from orchestrator.flows.ask_about_stranded import ask_about_stranded
from orchestrator.flows.fan_out import Horizon, fan_out
from orchestrator.flows.judge_seen import judge_seen
from orchestrator.flows.plan_backlog import plan_backlog
from orchestrator.flows.poll_channels import poll_channels
from orchestrator.flows.read_events import read_events
from orchestrator.flows.reconcile import reconcile
from orchestrator.flows.sweep import sweep
from orchestrator.ids import uuid7
from orchestrator.sender import Sender
from orchestrator.store import deliveries, heartbeats, idempotency
from orchestrator.wiring import App, open_app, require_urls

log = structlog.get_logger()

_BEAT_SECONDS = 5.0
_CANARY_SECONDS = 15.0
_TIDY_SECONDS = 3600.0
_RECONCILE_SECONDS = 30.0
_STRANDED_SECONDS = 60.0
_LOGGED = timedelta(days=30)  # how long a settled delivery can be looked at and sent again
_REPLAYED = timedelta(days=7)  # how long an Idempotency-Key is answered from memory

Work = Callable[[App, datetime], Awaitable[int]]


class Worker:
    """One worker process' loops and bells."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.name = f"{socket.gethostname()}:{os.getpid()}:{uuid7().hex[-6:]}"
        self.stop = asyncio.Event()
        self.ear = jobs.Ear()
        self.combiner = Combiner(app.engine)
        self.sender = Sender(app, self.combiner, owner=self.name)
        self.deliverer = Deliverer(app)
        self._horizon = Horizon()
        self._doubtful = asyncio.Event()
        self._bells = {name: asyncio.Event() for name in ("plan", "read", "seen")}
        self._bells["send"] = self.sender.bell

    def ring(self, what: str) -> None:
        """A doorbell rang: wake the loop that it names."""
        if canary := jobs_wire.read_canary(what):
            self._canary(*canary)
        elif bell := self._bells.get(what):
            bell.set()

    def _canary(self, worker: str, hops: int) -> None:
        if worker == self.name:
            self.ear.hear()
            asyncio.get_running_loop().create_task(self._canary_landed())
        elif hops:  # another worker's: all take from one queue, so it goes back
            self.app.ring_canary(worker, hops - 1)

    async def _canary_landed(self) -> None:
        with contextlib.suppress(Exception):
            async with transaction(self.app.engine) as conn:
                await heartbeats.canary(conn, self.name)

    async def run(self) -> None:
        """Run until `stop`; then stop claiming, finish what is under way, and leave."""
        _, redis_url = require_urls(self.app.settings)
        writer = asyncio.create_task(self.combiner.run())
        loops = [
            self._loop("plan", plan_backlog, self._bells["plan"]),
            self._loop("read", read_events, self._bells["read"]),
            self._loop("seen", judge_seen, self._bells["seen"]),
            self._loop("sweep", self._sweep, asyncio.Event()),
            self._loop("stranded", ask_about_stranded, asyncio.Event(), rest=_STRANDED_SECONDS),
            self._loop("fan_out", self._fan_out, asyncio.Event()),
            self._loop("beat", self._beat, asyncio.Event(), rest=_BEAT_SECONDS),
            self._loop("reconcile", reconcile, self._doubtful, rest=_RECONCILE_SECONDS),
            self._loop("poll", self._poll, asyncio.Event(), rest=self.app.settings.poll_seconds),
            self._loop("tidy", self._tidy, asyncio.Event(), rest=_TIDY_SECONDS),
            self._loop("canary", self._ring_canary, asyncio.Event(), rest=_CANARY_SECONDS),
            self.sender.run(self.stop),
            self.deliverer.run(self.stop),
            jobs.listen(redis_url, self.ring, self.stop, self.ear),
            imap.run_mailboxes(self.app, self.stop),
        ]
        try:
            await asyncio.gather(*loops)
        finally:
            writer.cancel()
            with contextlib.suppress(Exception):
                async with transaction(self.app.engine) as conn:
                    await heartbeats.leave(conn, self.name)

    async def _sweep(self, app: App, now: datetime) -> int:
        if (await sweep(app, now)).doubted:
            self._doubtful.set()  # something may have come back before it was in doubt
        return 0

    async def _fan_out(self, app: App, now: datetime) -> int:
        made = await fan_out(app, now, self._horizon)
        if made:
            self.deliverer.bell.set()
        return made

    async def _beat(self, app: App, _now: datetime) -> int:
        detail = {
            "sent": self.sender.sent,
            "commits": self.combiner.commits,
            "refused": self.combiner.refused,
            "stages": stages.told(),
        }
        async with transaction(app.engine) as conn:
            await heartbeats.beat(conn, self.name, json.dumps(detail))
        return 0

    async def _poll(self, app: App, now: datetime) -> int:
        await poll_channels(app, now)
        return 0

    async def _tidy(self, app: App, _now: datetime) -> int:
        async with transaction(app.engine) as conn:
            await idempotency.forget(conn, _REPLAYED)
            await deliveries.forget(conn, _LOGGED)
        return 0

    async def _ring_canary(self, app: App, _now: datetime) -> int:
        app.ring_canary(self.name)
        return 0

    async def _loop(
        self, name: str, work: Work, bell: asyncio.Event, *, rest: float | None = None
    ) -> None:
        """Do `work` while it finds something; rest until the bell, the interval or the stop."""
        interval = rest or self.app.settings.sweep_seconds
        while not self.stop.is_set():
            bell.clear()
            try:
                async with transaction(self.app.engine) as conn:
                    now = await database_now(conn)
                if await work(self.app, now):
                    continue
            except Exception as error:  # noqa: BLE001 - a loop outlives any fault of one round
                log.warning(f"{name}.round_failed", error=type(error).__name__, detail=str(error))
            await _either(bell, self.stop, interval)


async def _either(bell: asyncio.Event, stop: asyncio.Event, seconds: float) -> None:
    waits = {asyncio.create_task(bell.wait()), asyncio.create_task(stop.wait())}
    await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for one in waits:
        one.cancel()


async def main(settings: Settings) -> None:
    """Run a worker until SIGTERM or SIGINT. Raises SetupError when the database is not ready."""
    async with open_app(settings) as app:
        await check_server(app.engine, head=migrate.head())
        worker = Worker(app)
        loop = asyncio.get_running_loop()
        for one in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(one, worker.stop.set)
        log.info("worker.started", worker=worker.name)
        await worker.run()
        log.info("worker.stopped", worker=worker.name)
