"""Many lanes beside one: two thousand senders with twenty messages each, and one with them all."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bench.measure import Comparison, Size, path
from bench.paths.send import CONNECTIONS, send_all
from bench.place import people_due, product, sink


@path("lanes", minutes=15)
@asynccontextmanager
async def lanes(size: Size) -> AsyncIterator[list[Comparison]]:
    """Many senders with twenty messages each, gaps and caps on, beside one sender with them all.

    Each of the many keeps a gap of up to a second between two messages, half of one on average, so
    that the last of them is done after about 14 seconds at best. One lane may use half of a
    worker's connections: the one sender's worker has twice as many, so that both send on ten.
    """
    seats = 20 if size == "quick" else 2_000
    count = seats * 20
    gaps = {"gap_jitter_seconds": 0 if size == "quick" else 1, "daily_cap": 25}
    async with sink() as port, product(send_connections=CONNECTIONS) as many:
        async with product(send_connections=2 * CONNECTIONS) as one:
            await people_due(many, count, seats, port, **gaps)
            await people_due(one, count, 1, port)

            async def of_many() -> float:
                return await send_all(many, count)

            async def of_one() -> float:
                return await send_all(one, count)

            yield [
                Comparison(
                    f"{seats:,} senders, 20 messages each", "many", "one sender", "messages/s",
                    {"many": of_many, "one sender": of_one}, 0.5, 0.8, rounds=3,
                    notes={"lanes": "a gap of 0.5 s on average, a cap of 25; one: neither",
                           "connections": "ten in use in both arms"},
                )
            ]  # fmt: skip
