"""The send as more are enrolled: the same few thousand due messages among ever more others."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from sqlalchemy import text

from bench.measure import Growth, Size, path
from bench.paths.claim import queue
from bench.paths.send import CONNECTIONS
from bench.place import Clock, sink
from orchestrator.combiner import Combiner
from orchestrator.db import transaction
from orchestrator.sender import Sender
from orchestrator.wiring import App

_TO_SINK = """
update senders set settings = settings || jsonb_build_object('port', cast(:port as int))"""
_PATIENCE = 60.0  # seconds
_STATES = "select state, last_class, count(*) from messages group by 1, 2"
_SENT = "select count(*) from messages where state = 'sent' and handed_at is not null"


async def send_some(app: App, count: int) -> float:
    """Seconds for `count` messages of those that are due, by one worker's loop."""
    combiner, stop = Combiner(app.engine), asyncio.Event()
    sender = Sender(app, combiner, owner="bench")
    writer = asyncio.create_task(combiner.run())
    clock = Clock()
    running = asyncio.create_task(sender.run(stop))
    try:
        while sender.sent < count and clock.seconds < _PATIENCE:  # noqa: ASYNC110 - no event for it
            await asyncio.sleep(0.005)
        took = clock.seconds
    finally:
        stop.set()
        await running
        writer.cancel()
    async with transaction(app.engine) as conn:
        sent = await conn.scalar(text(_SENT))
        if (sent or 0) < count:
            seen = (await conn.execute(text(_STATES))).all()
            raise RuntimeError(f"{sent} of {count} messages were sent; there are {seen}")
    return took


@path("send_growth", minutes=12)
@asynccontextmanager
async def send_growth(size: Size) -> AsyncIterator[list[Growth]]:
    """A database for each size, made before the first is measured."""
    count = 300 if size == "quick" else 3_000
    sizes = [5_000, 10_000] if size == "quick" else [10_000, 100_000, 1_000_000]
    async with AsyncExitStack() as stack:
        port = await stack.enter_async_context(sink())
        places = {}
        for people in sizes:
            place = await stack.enter_async_context(queue(people, 3 * count))
            place.app.settings.send_connections = CONNECTIONS
            async with transaction(place.app.engine) as conn:
                await conn.execute(text(_TO_SINK), {"port": port})
            places[people] = place.app

        async def take(people: int) -> float:
            took = await send_some(places[people], count)
            return took / count * 1e6

        yield [Growth(f"send of {count:,}, by people enrolled", "us a message", sizes, take)]
