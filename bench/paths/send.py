"""The whole durable send, every law on, beside smtp-source and the usual way."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bench import source
from bench.measure import Comparison, Size, path
from bench.place import due_again, people_due, product, sink
from bench.sending import seconds_for
from bench.usual_way import UsualWay
from orchestrator.wiring import App, require_urls

CONNECTIONS = 10


async def send_all(app: App, count: int) -> float:
    """Send what is due with one `Sender`, as a worker does; messages a second."""
    await due_again(app)
    return count / await seconds_for(app, count)


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
