"""What the API and the worker keep in memory: idle, and after many messages and webhooks.

`AVTALE_BENCH_MESSAGES=1000000` beside the command gives the size that the page reports once.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import text

from bench import load
from bench.measure import Growth, Measure, Reading, Size, path
from bench.place import due_again, people_due, sink
from bench.whole import Whole, memory_mb, whole
from orchestrator.db import transaction
from orchestrator.wiring import App, open_app

_PEOPLE = 5_000  # who are written to again and again


@path("memory", minutes=60)
@asynccontextmanager
async def memory(size: Size) -> AsyncIterator[list[Measure]]:
    """`avtale up` as it is installed; the proportional share of memory (PSS) of its processes."""
    wanted = 2_000 if size == "quick" else int(os.environ.get("AVTALE_BENCH_MESSAGES", "100000"))
    people = min(_PEOPLE, wanted // 2)
    with TemporaryDirectory(prefix="avtale-bench-") as home:
        async with sink() as port, whole(Path(home) / "data", AVTALE_ORGANISATION="Bench") as up:
            idle = {f"{name} idle": memory_mb(up.pid(name)) for name in ("worker", "api")}
            settings = up.settings.model_copy(update={"postal_address": "Storgata 1, Oslo"})
            async with open_app(settings) as app:
                await people_due(app, people, 4, port)
                done = 0

                async def after(messages: int) -> float:
                    """MB of the worker when it has handed over so many in all."""
                    nonlocal done
                    while done < messages:
                        await _send(app, people)
                        await _ask(up, people, Path(home) / "requests")
                        done += people
                    return memory_mb(up.pid("worker"))

                async def taken() -> dict[str, float]:
                    await after(wanted)
                    ended = {name: memory_mb(up.pid(name)) for name in ("worker", "api")}
                    return {f"{name} after": mb for name, mb in ended.items()} | idle

                sizes = [people, wanted] if size == "quick" else [wanted // 10, wanted // 2, wanted]
                yield [
                    Growth("worker's memory by messages handed over", "MB", sizes, after),
                    Reading(
                        f"memory after {wanted:,} messages, and as many requests", "MB", taken,
                        rounds=1,
                    ),
                ]  # fmt: skip


async def _send(app: App, people: int) -> None:
    await due_again(app)
    app.ring("send")
    async with asyncio.timeout(600):
        sent = 0
        while sent < people:
            await asyncio.sleep(0.2)
            async with transaction(app.engine) as conn:
                query = text("select count(*) from messages where state = 'sent'")
                sent = int(await conn.scalar(query) or 0)


async def _ask(up: Whole, count: int, requests: Path) -> None:
    """As many requests to the API: a webhook of nobody, which is looked up and refused."""
    one = load.request("POST", "/hooks/resend/nobody", [("content-type", "text/plain")], b"{}")
    load.write_requests(requests, (one for _ in range(count)))
    await load.rate(up.settings.port, requests, connections=10)
