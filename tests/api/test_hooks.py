"""The door for providers: verified before parsed, stored once, committed before answered."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from channels.base import ChannelEvent, InboundRequest
from orchestrator.api import hooks, problems
from orchestrator.api.hook_rows import rows_of
from orchestrator.api.limits import BodyLimit
from orchestrator.db import make_engine, transaction
from orchestrator.models.engagement import provider_events
from orchestrator.rules import event_json
from orchestrator.wiring import App
from tests.api.hook_world import Signed, add_sender, body_of, sign
from tests.flows.coming import all_of

URL = "/hooks/testing/kari"


@pytest.fixture
def source() -> Signed:
    """The provider's source."""
    return Signed()


@pytest.fixture
async def api(app: App, source: Signed) -> FastAPI:
    """The door alone, with one sender."""
    async with transaction(app.engine) as conn:
        await add_sender(conn, app.keys, "kari")
        await add_sender(conn, app.keys, "ola", secrets={})
        await add_sender(conn, app.keys, "blank", secrets={"testing_secret": ""})
        await add_sender(conn, app.keys, "elsewhere", channel="slack")
    made = FastAPI()
    problems.install(made)
    made.include_router(hooks.router)
    made.add_middleware(BodyLimit)
    made.state.avtale = app
    made.state.hooks = hooks.Hooks(app, [source])
    return made


@pytest.fixture
async def client(api: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the door; errors of the server come as answers."""
    transport = httpx.ASGITransport(api, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as made:
        yield made


async def rows(engine: AsyncEngine) -> list[Any]:
    """Every stored event by its external id."""
    async with transaction(engine) as conn:
        return sorted(await all_of(conn, provider_events), key=lambda row: row["external_id"])


async def test_each_event_of_a_body_is_stored_once(
    client: httpx.AsyncClient, engine: AsyncEngine
) -> None:
    body, headers = body_of([{"id": "a", "kind": "opened"}, {"id": "b", "kind": "unknown", "n": 1}])
    for _ in range(2):
        answer = await client.post(URL, content=body, headers=headers)
        assert (answer.status_code, answer.content) == (200, b"")
    first, second = await rows(engine)
    assert (first["source"], first["external_id"], first["kind"]) == ("testing:kari", "a", "opened")
    assert (first["trust"], first["state"]) == ("signed", "stored")
    assert first["sender_id"] is not None
    assert json.loads(second["raw"]) == {"id": "b", "kind": "unknown", "n": 1}
    assert event_json.decode(second["detail"]["event"]) == ChannelEvent(
        "unknown", "b", detail={"n": 1}
    )


async def test_a_handshake_is_answered_and_not_stored(
    client: httpx.AsyncClient, engine: AsyncEngine
) -> None:
    headers = {"x-signature": sign(b"handshake")}
    answer = await client.post(URL, content=b"handshake", headers=headers)
    assert (answer.status_code, answer.text) == (200, "hello yourself")
    assert await rows(engine) == []


@pytest.mark.parametrize(
    "path",
    [
        "/hooks/nobody/kari",
        "/hooks/testing/nobody",
        "/hooks/testing/elsewhere",
        "/hooks/testing/%00",
        "/hooks/testing/%ED%A0%80",
        "/hooks/testing/" + "k" * 2000,
    ],
)
async def test_nobody_lives_there(client: httpx.AsyncClient, path: str) -> None:
    body, headers = body_of([])
    answer = await client.post(path, content=body, headers=headers)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("name", ["ola", "blank"])
async def test_without_a_secret_nothing_is_accepted(
    client: httpx.AsyncClient, engine: AsyncEngine, name: str
) -> None:
    body, headers = body_of([{"id": "a", "kind": "opened"}])
    headers["x-signature"] = sign(body, "")
    answer = await client.post(f"/hooks/testing/{name}", content=body, headers=headers)
    assert answer.status_code == 401
    assert await rows(engine) == []


@pytest.mark.parametrize("signature", [None, "", "0" * 64, "æøå".encode("latin-1"), b"\xff\xfe"])
async def test_what_is_not_signed_is_not_even_parsed(
    client: httpx.AsyncClient, engine: AsyncEngine, source: Signed, signature: Any
) -> None:
    body, _ = body_of([{"id": "a", "kind": "opened"}])
    headers = {} if signature is None else {"x-signature": signature}
    answer = await client.post(URL, content=body, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert source.parsed == 0
    assert await rows(engine) == []


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff\xfe", b"[" * 200_000, b"[1" + b",1" * 400_000, b'{"a": \x00}', b"1" * 9999],
    ids=["empty", "broken", "not utf-8", "deep", "cut", "nul", "long number"],
)
async def test_bodies_that_cannot_be_read_are_refused(
    client: httpx.AsyncClient, engine: AsyncEngine, body: bytes
) -> None:
    answer = await client.post(URL, content=body, headers={"x-signature": sign(body)})
    assert answer.status_code == 400
    assert await rows(engine) == []


async def test_a_source_that_breaks_is_refused_or_kept(
    client: httpx.AsyncClient, engine: AsyncEngine, source: Signed, monkeypatch: pytest.MonkeyPatch
) -> None:
    body, headers = body_of([{"strange": True}])
    assert (await client.post(URL, content=body, headers=headers)).status_code == 200
    [row] = await rows(engine)
    assert (row["kind"], row["raw"]) == ("unknown", body)
    monkeypatch.setattr(source, "verify", None)
    assert (await client.post(URL, content=body, headers=headers)).status_code == 401


async def test_50_megabytes_are_refused_while_they_stream(
    client: httpx.AsyncClient, engine: AsyncEngine
) -> None:
    sent = 0

    async def much() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(800):
            sent += 65536
            yield b"x" * 65536

    assert (await client.post(URL, content=much())).status_code == 413
    assert sent < 2 * hooks.MOST
    assert (await client.post(URL, content=b"x" * (hooks.MOST + 1))).status_code == 413
    body = b" " * (hooks.MOST - 2) + b"[]"
    answer = await client.post(URL, content=body, headers={"x-signature": sign(body)})
    assert answer.status_code == 200
    assert await rows(engine) == []


async def test_a_body_that_never_ends_is_given_up(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hooks, "BODY_SECONDS", 0.2)

    async def drip() -> AsyncIterator[bytes]:
        while True:
            yield b"x"
            await asyncio.sleep(0.02)

    assert (await client.post(URL, content=drip())).status_code == 408


async def test_compressed_bodies_are_refused(client: httpx.AsyncClient) -> None:
    bomb = gzip.compress(b"0" * 50_000_000)
    headers = {"content-encoding": "gzip", "x-signature": sign(bomb)}
    assert (await client.post(URL, content=bomb, headers=headers)).status_code == 415


async def test_too_many_events_are_refused(client: httpx.AsyncClient, engine: AsyncEngine) -> None:
    body, headers = body_of(
        [{"id": str(n), "kind": "opened"} for n in range(hooks.MOST_EVENTS + 1)]
    )
    assert (await client.post(URL, content=body, headers=headers)).status_code == 413
    assert await rows(engine) == []
    body, headers = body_of([{"id": str(n), "kind": "opened"} for n in range(3000)])
    assert (await client.post(URL, content=body, headers=headers)).status_code == 200
    assert len(await rows(engine)) == 3000


async def test_what_postgresql_cannot_hold_is_stored_all_the_same(
    client: httpx.AsyncClient, engine: AsyncEngine
) -> None:
    hostile = [
        {"id": "nul\0", "kind": "opened", "n": "\0\ud800"},
        {"id": "long" * 5000, "kind": "opened"},
        {"id": "\udfff", "kind": "opened", "n": float("inf")},
    ]
    body, headers = body_of(hostile)
    for _ in range(2):
        assert (await client.post(URL, content=body, headers=headers)).status_code == 200
    assert len(await rows(engine)) == 3


async def test_a_database_that_is_away_is_a_503_and_nothing_is_lost(
    app: App, client: httpx.AsyncClient, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    body, headers = body_of([{"id": "a", "kind": "opened"}])
    away = make_engine("postgresql://nobody@127.0.0.1:1/nothing")
    monkeypatch.setattr(app, "engine", away)
    assert (await client.post(URL, content=body, headers=headers)).status_code == 503
    monkeypatch.setattr(app, "engine", engine)
    async with transaction(engine) as conn:
        await conn.execute(text("alter table provider_events rename to gone"))
    assert (await client.post(URL, content=body, headers=headers)).status_code == 503
    async with transaction(engine) as conn:
        await conn.execute(text("alter table gone rename to provider_events"))
    assert (await client.post(URL, content=body, headers=headers)).status_code == 200
    assert len(await rows(engine)) == 1
    await away.dispose()


async def test_one_request_that_cannot_be_stored_does_not_take_others_along(
    api: FastAPI, client: httpx.AsyncClient, engine: AsyncEngine
) -> None:
    async with transaction(engine) as conn:
        await conn.execute(text("alter table provider_events add check (external_id <> 'poison')"))
    posts = []
    for name in ("x", "poison", "y"):
        body, headers = body_of([{"id": name, "kind": "opened"}])
        posts.append(client.post(URL, content=body, headers=headers))
    answers = await asyncio.gather(*posts)
    assert [one.status_code for one in answers] == [200, 422, 200]
    assert [row["external_id"] for row in await rows(engine)] == ["x", "y"]


async def test_two_processes_with_the_same_events_store_them_once(
    app: App, engine: AsyncEngine
) -> None:
    source = Signed()
    async with transaction(engine) as conn:
        await add_sender(conn, app.keys, "kari")
    body, _ = body_of([{"id": str(n), "kind": "opened"} for n in range(200)])
    both = [hooks.Hooks(app, [source]) for _ in range(4)]
    account = await both[0].account("email", "kari")
    assert account is not None
    events = source.parse(InboundRequest({}, body), account)
    made = rows_of(source, account, events, body)
    turned = [made, made[::-1], made[100:] + made[:100], made]
    await asyncio.gather(*(one.arrivals.store(r) for one, r in zip(both, turned, strict=True)))
    assert len(await rows(engine)) == 200
