"""The send as more are enrolled: the same few thousand due messages among ever more others."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from sqlalchemy import text

from bench.measure import Growth, Size, path
from bench.paths.claim import queue
from bench.paths.send import CONNECTIONS
from bench.place import sink
from bench.sending import seconds_for
from orchestrator.db import transaction

_TO_SINK = """
update senders set settings = settings || jsonb_build_object('port', cast(:port as int))"""


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
            took = await seconds_for(places[people], count)
            return took / count * 1e6

        yield [Growth(f"send of {count:,}, by people enrolled", "us a message", sizes, take)]
