"""The whole durable send, every law on, beside smtp-source and the usual way."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import text

from bench import source
from bench.measure import Comparison, Size, path
from bench.place import Clock, due_again, people_due, product, sink
from bench.usual_way import UsualWay
from orchestrator.combiner import Combiner
from orchestrator.db import transaction
from orchestrator.sender import Sender
from orchestrator.wiring import App, require_urls

CONNECTIONS = 10


async def send_all(app: App, count: int) -> float:
    """Send what is due with one `Sender`, as a worker does; messages a second."""
    await due_again(app)
    combiner = Combiner(app.engine)
    writer = asyncio.create_task(combiner.run())
    stop = asyncio.Event()
    sender = Sender(app, combiner, owner="bench")
    clock = Clock()
    running = asyncio.create_task(sender.run(stop))
    try:
        async with asyncio.timeout(600):
            while sender.sent < count:  # noqa: ASYNC110 - the sender has no event for a benchmark
                await asyncio.sleep(0.005)
        took = clock.seconds
    finally:
        stop.set()
        await running
        writer.cancel()
    async with transaction(app.engine) as conn:
        sent = await conn.scalar(text("select count(*) from messages where state = 'sent'"))
    if sent != count:
        raise RuntimeError(f"{sent} of {count} messages were sent")
    return count / took


@path("send")
@asynccontextmanager
async def send(size: Size) -> AsyncIterator[list[Comparison]]:
    """One worker with ten connections to one sink, four senders."""
    count = 300 if size == "quick" else 6_000
    async with sink() as port, product(send_connections=CONNECTIONS) as app:
        await people_due(app, count, 4, port)
        usual = UsualWay(*require_urls(app.settings), port)
        await usual.open(CONNECTIONS)

        async def durable() -> float:
            return await send_all(app, count)

        async def ceiling() -> float:
            return await source.rate(port, mails=2_000 if size == "quick" else 40_000)

        async def the_usual() -> float:
            return await usual.rate(100 if size == "quick" else 600)

        name = source.name()
        try:
            yield [
                Comparison(
                    "whole durable send", "product", name, "messages/s",
                    {"product": durable, name: ceiling, "usual way": the_usual}, 0.15, 0.25,
                ),
                Comparison(
                    "whole durable send", "product", "usual way", "messages/s",
                    {"product": durable, "usual way": the_usual}, 15, 30,
                ),
            ]  # fmt: skip
        finally:
            await usual.close()
