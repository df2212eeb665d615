"""Where the time of the durable send goes: what each stage takes, and Python's CPU in all."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bench.measure import Reading, Size, path
from bench.paths.send import CONNECTIONS, send_all
from bench.place import Clock, people_due, product, sink
from bench.sampler import LOOP, sampled, shares
from orchestrator import stages


@path("stages")
@asynccontextmanager
async def where_it_goes(size: Size) -> AsyncIterator[list[Reading]]:
    """The same send as the path `send`, its stages read after each round."""
    count = 200 if size == "quick" else 6_000
    async with sink() as port, product(send_connections=CONNECTIONS) as app:
        await people_due(app, count, 4, port)

        async def take() -> dict[str, float]:
            stages.reset()
            clock = Clock()
            rate = await send_all(app, count)
            cpu = clock.cpu / count * 1e6
            found = {name: one.seconds / count * 1e6 for name, one in stages.found().items()}
            return {"CPU": cpu, "wall": 1e6 / rate} | found

        async def look() -> dict[str, float]:
            with sampled() as found:
                await send_all(app, count)
            return shares(found)

        about = {"CPU": "of this Python process", "wall": "of the run"} | stages.STAGES
        modules = {LOOP: "none of our files is on the stack"}
        yield [
            Reading("where the time of a send goes", "us a message", take, notes={"table": about}),
            Reading(
                "what Python's CPU goes to, by module", "% of it", look,
                notes={"table": modules}, rounds=1,
            ),
        ]  # fmt: skip
