"""A sample of the simulation through the real pages and database, at the simulated times."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import httpx
from fastapi import FastAPI
from sqlalchemy import text, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from orchestrator.db import transaction
from orchestrator.keys import Keys
from orchestrator.models.messages import messages as table
from orchestrator.rules.networks import Network, Ranges
from orchestrator.store import networks
from tests import make
from tests.pages import sample
from tests.pages.sample import judged
from tests.simulator.acts import Act
from tests.simulator.world import Message, published


@dataclass
class Replayed:
    """One simulated message as it stands in the database, and what its reader met."""

    message: Message
    row: UUID
    prospect: UUID
    enrollment: UUID
    links: list[UUID]
    asked: list[bool] = field(default_factory=list)  # of each click of the person before their tap


async def build(
    engine: AsyncEngine, keys: Keys, simulated: Sequence[Message], apple: Sequence[Network]
) -> tuple[datetime, list[Replayed]]:
    """A prospect for each message, handed over at the same instant; and the published lists."""
    made = []
    async with transaction(engine) as conn:
        world = await sample.build(conn)
        start: datetime = (await conn.execute(text("select clock_timestamp()"))).scalar_one()
        for name, (kind, found) in published(apple).items():
            packed = Ranges.of(found).pack()
            about = {"name": name, "kind": kind, "source": "simulated", "size": len(found)}
            await networks.save(conn, **about, ranges=packed, now=start)
        for one in simulated:
            made.append(await _one(conn, keys, world, one, start))
    return start, made


async def _one(
    conn: AsyncConnection, keys: Keys, world: make.World, one: Message, start: datetime
) -> Replayed:
    who = await sample.someone(conn, keys, world, sent=1)
    row = who.messages[0]
    await conn.execute(update(table).where(table.c.id == row).values(handed_at=start))
    links = [*who.links, await sample.link(conn, row)][: one.links]
    return Replayed(one, row, who.prospect, who.enrollment, links)


async def replay(
    engine: AsyncEngine, keys: Keys, app: FastAPI, start: datetime, made: Sequence[Replayed]
) -> None:
    """Every act of every message, in order of time, over HTTP from its own address."""
    everything = [(act, one) for one in made for act in one.message.acts]
    for act, one in sorted(everything, key=lambda pair: (pair[0].at, pair[1].message.number)):
        async with transaction(engine) as conn:
            at = start + timedelta(seconds=act.at)
            await conn.execute(text("update clock set ahead = :at - clock_timestamp()"), {"at": at})
        transport = httpx.ASGITransport(app, client=(act.address, 40_000))
        async with httpx.AsyncClient(transport=transport, base_url="http://pages.example") as agent:
            for name in list(agent.headers):
                del agent.headers[name]
            method = "POST" if act.kind == "tap" else act.method
            answer = await agent.request(method, door(keys, act, one), headers=act.headers)
        assert answer.status_code in (200, 302, 303), (act, answer.status_code)
        await judged(app)
        if act.kind == "click" and act.truth == "person":
            one.asked.append("/more" in answer.text)


def door(keys: Keys, act: Act, one: Replayed) -> str:
    """The path that an act fetches."""
    page = f"/p/{keys.token('page', one.enrollment)}"
    match act.kind:
        case "open":
            return f"/o/{keys.token('open', one.row)}.gif"
        case "click":
            return f"/c/{keys.token('click', one.links[act.link])}"
        case "trap":
            return f"/t/{keys.token('trap', one.row)}"
        case "unsubscribe":
            return f"/u/{keys.token('unsubscribe', one.row)}"
        case "tap":
            return f"{page}/more"
    return page
