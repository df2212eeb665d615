"""Many lanes beside one: two thousand senders with twenty messages each, and one with them all."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bench.measure import Comparison, Size, path
from bench.paths.send import CONNECTIONS, send_all
from bench.place import people_due, product, sink


@path("lanes")
@asynccontextmanager
async def lanes(size: Size) -> AsyncIterator[list[Comparison]]:
    """Many senders with twenty messages each, gaps and caps on, beside one sender with them all."""
    seats = 20 if size == "quick" else 2_000
    count = seats * 20
    async with sink() as port, product(send_connections=CONNECTIONS) as many:
        async with product(send_connections=CONNECTIONS) as one:
            await people_due(many, count, seats, port, daily_cap=1_000)
            await people_due(one, count, 1, port)

            async def of_many() -> float:
                return await send_all(many, count)

            async def of_one() -> float:
                return await send_all(one, count)

            yield [
                Comparison(
                    f"{seats} senders, 20 messages each", "many", "one sender", "messages/s",
                    {"many": of_many, "one sender": of_one}, 0.5, 0.8,
                )
            ]  # fmt: skip
