"""A small world with people at every point of the road, for tests and for looking at the pages."""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

import httpx
from fastapi import FastAPI
from sqlalchemy import insert, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from orchestrator.api.app import Api
from orchestrator.clock import database_now, utc_now
from orchestrator.config import Settings
from orchestrator.db import transaction
from orchestrator.flows.engage import engage
from orchestrator.flows.judge_seen import judge_seen
from orchestrator.front import Front
from orchestrator.ids import uuid7
from orchestrator.keys import Keys
from orchestrator.models.messages import frozen, links, messages
from orchestrator.models.people import companies, facts
from orchestrator.pages import make_router
from orchestrator.pages.tracking import doors, sightings_of
from orchestrator.wiring import App, make_redis
from tests import make

ORGANISATION = "Bilag & Bro"
SUBJECT = "Bilag som tastes to ganger?"
TEXT = """Hei Ola.

Jeg så at dere søker en medarbeider til bilagsføring. Mange kontorer på deres størrelse har
sluttet å taste bilag for hånd, og bruker timene på rådgivning i stedet.

Er det noe dere tenker på? Et kort svar holder, også et nei.

Hilsen Kari"""
FOLLOW_UP = """Hei igjen.

Én ting til: kontoret i Drammen som lignet mest på dere, brukte to uker på å komme i gang, ikke
to måneder. Jeg sender gjerne notatet deres om det.

Kari"""
USER_AGENT = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/131.0.0.0 Safari/537.36"
)


@dataclass
class Someone:
    """One prospect in the sample, with the tokens that they hold."""

    prospect: UUID
    enrollment: UUID
    identity: UUID
    messages: list[UUID]
    links: list[UUID]
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def page(self) -> str:
        """The path of their page."""
        return f"/p/{self.tokens['page']}"


def program() -> dict[str, Any]:
    """The sequence of the sample: two messages, then an offer of a call."""
    made = {**make.PROGRAM, "sequence": "bilag", "language": "nb"}
    steps = [dict(step) for step in make.PROGRAM["steps"]]
    steps[0]["needs"] = ["fact.pain"]
    made["steps"] = steps
    return made


async def build(conn: AsyncConnection) -> make.World:
    """The sender, the host and the sequence."""
    world = await make.world(conn, program=program())
    await conn.execute(
        update(make.hosts)
        .where(make.hosts.c.id == world.host)
        .values(location="https://meet.sender.example/kari", notice_minutes=60)
    )
    return world


async def someone(
    conn: AsyncConnection, keys: Keys, world: make.World, *, sent: int = 2, **values: Any
) -> Someone:
    """A prospect to whom `sent` messages have left, the first four days ago."""
    now = await database_now(conn)
    company = uuid7()
    name = values.pop("company", "Fjordregnskap AS")
    subject, text = values.pop("subject", SUBJECT), values.pop("text", TEXT)
    fact = values.pop("fact", "Dere søker en medarbeider til bilagsføring")
    await conn.execute(insert(companies).values(id=company, name=name, key=str(company)))
    prospect = await make.prospect(
        conn, keys, **({"company_id": company, "language": "nb"} | values)
    )
    identity = await make.identity(conn, keys, prospect, f"{prospect.hex}@work.example")
    enrolled = await make.enrollment(
        conn, world, prospect, now=now, step="listen", due_at=now + timedelta(days=6)
    )
    await conn.execute(
        insert(facts).values(
            id=uuid7(),
            prospect_id=prospect,
            name="pain",
            value=fact,
            source="stillingsannonse på finn.no",
            found_on=date(2026, 6, 3),
        )
    )
    made = Someone(prospect, enrolled, identity, [], [])
    letters = [("hello", subject, text, 4), ("more", f"Re: {subject}", FOLLOW_UP, 1)]
    for step, title, body, days in letters[:sent]:
        at = now - timedelta(days=days)
        made.messages.append(await _sent(conn, world, made, step, title, body, at))
    for message in made.messages:
        made.links += [await link(conn, message) for _ in range(2)]
    made.tokens["page"] = keys.token("page", enrolled)
    if made.messages:
        made.tokens |= {
            "open": keys.token("open", made.messages[0]),
            "unsubscribe": keys.token("unsubscribe", made.messages[0]),
            "trap": keys.token("trap", made.messages[0]),
            "click": keys.token("click", made.links[0]),
        }
    return made


async def link(conn: AsyncConnection, message_id: UUID, url: str | None = None) -> UUID:
    """A tracked link in a message."""
    made = uuid7()
    url = url or f"https://sender.example/notat?nr={made.hex[:6]}"
    await conn.execute(insert(links).values(id=made, message_id=message_id, url=url))
    return made


async def interested(conn: AsyncConnection, keys: Keys, who: Someone) -> None:
    """They answered that they want to know more: the call opens."""
    now = await database_now(conn)
    await engage(
        conn,
        keys,
        prospect_id=who.prospect,
        kind="reply",
        grade="human",
        meaning="interested",
        enrollment_id=who.enrollment,
        happened_at=now,
        now=now,
    )


async def _sent(
    conn: AsyncConnection,
    world: make.World,
    who: Someone,
    step: str,
    subject: str,
    text: str,
    at: datetime,
) -> UUID:
    """A message that has gone the way of section 5, and what was frozen of it."""
    made = await make.message(
        conn, world, who.prospect, who.enrollment, who.identity, step=step, now=at
    )
    for change in (
        {"state": "leased", "fence": 1},
        {"state": "sending", "handed_at": at},
        {"state": "sent", "settled_at": at},
    ):
        await conn.execute(update(messages).where(messages.c.id == made).values(**change))
    await conn.execute(
        insert(frozen).values(
            message_id=made,
            recipient="someone@work.example",
            subject=subject,
            text=text,
            payload=b"-",
            sha256=sha256(b"-").digest(),
            frozen_at=at,
        )
    )
    return made


class Noted:
    """Nobody reads these notes."""

    def note(self, method: str, route: str, status: int, seconds: float, request_id: str) -> None:
        """Forget it."""


def application(engine: AsyncEngine, keys: Keys, **settings: Any) -> FastAPI:
    """The pages on their own, over a real database; nobody hears the doorbell."""
    app = Api(openapi_url=None)
    app.include_router(make_router())
    app.front = Front(app.behind, doors(app), Noted(), lambda _: "a-request")
    app.state.avtale = App(
        settings=Settings(**({"organisation": ORGANISATION} | settings)),
        engine=engine,
        keys=keys,
        channels={},
        redis=make_redis("redis://127.0.0.1:9/0"),
    )
    return app


async def judged(app: FastAPI) -> None:
    """Let what was seen be written, and judged as a worker does."""
    await sightings_of(app).flush()
    while await judge_seen(app.state.avtale, utc_now()):
        pass


def client(app: FastAPI, *, root_path: str = "", **headers: str) -> httpx.AsyncClient:
    """A browser that keeps no cookies worth having and follows nothing by itself. What it was seen
    to do is judged before its next step."""

    async def settle(_response: httpx.Response) -> None:
        await judged(app)

    return httpx.AsyncClient(
        event_hooks={"response": [settle]},
        transport=httpx.ASGITransport(app, root_path=root_path),
        base_url="http://pages.example",
        headers={"user-agent": USER_AGENT, "accept-language": "nb,en;q=0.5"} | headers,
    )


async def one(engine: AsyncEngine, keys: Keys, **values: Any) -> tuple[make.World, Someone]:
    """A world with one person in it."""
    async with transaction(engine) as conn:
        world = await build(conn)
        return world, await someone(conn, keys, world, **values)
