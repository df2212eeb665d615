"""The delivering loop of a worker: each subscription is served by a task of its own.

A receiver that is slow or silent keeps its own task busy and nobody else's: there is no pool of
connections or tasks that it could fill.
"""

import asyncio
from functools import partial
from uuid import UUID

import structlog

from orchestrator.clock import database_now, utc_now
from orchestrator.db import transaction
from orchestrator.egress import Egress, allowed
from orchestrator.flows.deliver_webhooks import deliver_webhooks
from orchestrator.store import deliveries
from orchestrator.wiring import App

log = structlog.get_logger()


class Deliverer:
    """Delivers for one process. `run` until `stop` is set, then finish what is under way."""

    def __init__(self, app: App, egress: Egress | None = None) -> None:
        self._app = app
        self._egress = egress or Egress(allowed(app.settings))
        self._tasks: dict[UUID, asyncio.Task[None]] = {}
        self.bell = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Start a task for each subscription with something due, until `stop`."""
        try:
            while not stop.is_set():
                self.bell.clear()
                try:
                    await self.look(stop)
                except Exception as error:  # noqa: BLE001 - a loop outlives any fault of one round
                    log.warning("webhooks.round_failed", error=type(error).__name__)
                await self._rest(stop)
        finally:
            if self._tasks:
                await asyncio.wait(set(self._tasks.values()), timeout=20)
            for task in self._tasks.values():
                task.cancel()
            await self._egress.close()

    async def look(self, stop: asyncio.Event) -> None:
        """One round: serve whoever waits and is not being served."""
        async with transaction(self._app.engine) as conn:
            waiting = await deliveries.waiting(conn, await database_now(conn))
        for subscription_id in waiting:
            if subscription_id not in self._tasks:
                task = asyncio.create_task(self._serve(subscription_id, stop))
                self._tasks[subscription_id] = task
                task.add_done_callback(partial(self._forget, subscription_id))

    def _forget(self, subscription_id: UUID, _done: asyncio.Task[None]) -> None:
        self._tasks.pop(subscription_id, None)

    async def finish(self) -> None:
        """Wait for every task that runs."""
        while self._tasks:
            await asyncio.wait(set(self._tasks.values()))

    async def _serve(self, subscription_id: UUID, stop: asyncio.Event) -> None:
        """Deliver to one subscription while something is due to it."""
        try:
            while not stop.is_set():
                async with transaction(self._app.engine) as conn:
                    now = await database_now(conn)
                if not await deliver_webhooks(
                    self._app, self._egress, subscription_id, now=now, wall=utc_now()
                ):
                    return
        except Exception as error:  # noqa: BLE001 - the next round tries again
            log.warning(
                "webhooks.serve_failed",
                subscription=str(subscription_id),
                error=type(error).__name__,
                detail=str(error)[:200],
            )

    async def _rest(self, stop: asyncio.Event) -> None:
        own = [asyncio.create_task(self.bell.wait()), asyncio.create_task(stop.wait())]
        interval = self._app.settings.sweep_seconds
        await asyncio.wait(own, timeout=interval, return_when=asyncio.FIRST_COMPLETED)
        for one in own:
            one.cancel()
