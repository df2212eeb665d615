"""The open pixel and the click redirect beside a raw ASGI GIF; 50 connections at once."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

from sqlalchemy import insert, text

from bench import load
from bench.measure import Arm, Comparison, Measure, Size, path
from bench.place import people_due, product
from bench.serve import Served, serving
from orchestrator.db import transaction
from orchestrator.ids import uuid7
from orchestrator.models.messages import links
from orchestrator.wiring import App

CONNECTIONS = 50
_HEADERS = {
    "user-agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/142.0.0.0 Safari/537.36",
    "accept": "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8",
    "accept-language": "nb-NO,nb;q=0.9,en;q=0.8",
    "accept-encoding": "gzip, deflate, br",
    "connection": "keep-alive",
}
_SEEN = "select count(*) from provider_events where source = 'track'"


async def _sent_messages(app: App, count: int) -> tuple[list[UUID], list[UUID]]:
    """Messages that left a day ago to people who have answered since, and a link of each."""
    await people_due(app, count, 4, 1)
    async with transaction(app.engine) as conn:
        await conn.execute(text("alter table messages disable trigger message_transition"))
        await conn.execute(
            text("""update messages set state = 'sent', handed_at = now() - interval '1 day',
              settled_at = now()""")
        )
        await conn.execute(text("alter table messages enable trigger message_transition"))
        await conn.execute(
            text("update enrollments set state = 'finished', step = 'end', answered_at = now()")
        )
        made = [row.id for row in await conn.execute(text("select id from messages"))]
        rows = [
            {"id": uuid7(), "message_id": one, "url": f"https://www.example.com/{one}"}
            for one in made
        ]
        await conn.execute(insert(links), rows)
    return made, [row["id"] for row in rows]


def _requests(paths: Sequence[str], count: int) -> Iterator[bytes]:
    """Each of another program, as far as it says, so that none is the same look again."""
    for number in range(count):
        agent = f"{_HEADERS['user-agent']} {time.time_ns()}.{number}"
        headers = {**_HEADERS, "user-agent": agent}
        yield load.request("GET", random.choice(paths), headers.items())


@path("pixel")
@asynccontextmanager
async def pixel(size: Size) -> AsyncIterator[list[Measure]]:
    """One process of the API; an arm ends when all that was seen is stored, not when the last
    answer has left. No worker runs: judging comes after."""
    count = 300 if size == "quick" else 15_000
    people = 100 if size == "quick" else 3_000
    with TemporaryDirectory(prefix="avtale-bench-") as home:
        requests = Path(home) / "requests"
        async with product() as app:
            messages, followed = await _sent_messages(app, people)
            pixels = [f"/o/{app.keys.token('open', one)}.gif" for one in messages]
            clicks = [f"/c/{app.keys.token('click', one)}" for one in followed]
            settings = app.settings.model_copy(update={"log_level": "INFO"})
            async with (
                serving("gif") as gif,
                serving("product", settings) as ours,
                serving("bench.usual_web:create", settings) as usual,
            ):
                names = {gif.pid: "raw ASGI GIF", ours.pid: "product", usual.pid: "usual way"}
                spent: dict[str, dict[str, str]] = {"200": {}, "302": {}}

                async def run(server: Served, paths: Sequence[str], status: str) -> float:
                    await asyncio.to_thread(load.write_requests, requests, _requests(paths, count))
                    wanted = await _count(app) + count
                    used, began = server.cpu(), time.perf_counter()
                    found = await load.rate(server.port, requests, connections=CONNECTIONS)
                    took = found["seconds"]
                    if found["statuses"] != {status if server is not gif else "200": count}:
                        raise RuntimeError(f"answers: {found['statuses']}")
                    if server is ours:
                        answered = time.perf_counter()
                        while await _count(app) < wanted:
                            if time.perf_counter() - began > 60:
                                raise RuntimeError("not every hit was stored")
                            await asyncio.sleep(0.005)
                        took += time.perf_counter() - answered
                        await _forget(app)
                    used = (server.cpu() - used) / count * 1e6
                    spent[status][names[server.pid]] = f"{used:.0f} us of CPU a request"
                    return count / took

                def arms(paths: Sequence[str], status: str) -> dict[str, Arm]:
                    return {
                        "product": lambda: run(ours, paths, status),
                        "raw ASGI GIF": lambda: run(gif, paths, status),
                        "usual way": lambda: run(usual, paths, status),
                    }

                yield [
                    Comparison(
                        "open pixel", "product", "raw ASGI GIF", "requests/s",
                        arms(pixels, "200"), 0.3, 0.6, notes=spent["200"],
                    ),
                    Comparison(
                        "click redirect", "product", "raw ASGI GIF", "requests/s",
                        arms(clicks, "302"), 0.3, 0.6, notes=spent["302"],
                    ),
                ]  # fmt: skip


async def _count(app: App) -> int:
    async with transaction(app.engine) as conn:
        return int(await conn.scalar(text(_SEEN)) or 0)


async def _forget(app: App) -> None:
    async with transaction(app.engine) as conn:
        await conn.execute(text("delete from provider_events"))
