"""Every route of the API needs a key, and one that reaches that far: generated from OpenAPI."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx
from fastapi import FastAPI
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from orchestrator.db import transaction
from orchestrator.models.access import api_keys
from orchestrator.rules import scopes
from orchestrator.store import api_keys as store
from tests.api.conftest import client_of


def operations(api: FastAPI) -> Iterator[tuple[str, str, str]]:
    """Method, a path with an id in it, and the scope that OpenAPI promises."""
    for path, methods in api.openapi()["paths"].items():
        if not path.startswith("/api/"):
            continue  # the mail endpoint is signed instead
        for method, operation in methods.items():
            filled = (
                path.replace("{name}", "nobody")
                .replace("{number}", "1")
                .replace("{day}", "2026-12-24")
            )
            while "{" in filled:
                head, _, tail = filled.partition("{")
                filled = head + str(uuid4()) + tail.partition("}")[2]
            needed = [s for way in operation["security"] for some in way.values() for s in some]
            assert len(needed) == 1, f"{method} {path} names {needed}"
            yield method.upper(), filled, needed[0]


async def test_without_a_key_every_route_answers_401(api: FastAPI, engine: AsyncEngine) -> None:
    nobody = await client_of(api, engine)
    seen = 0
    for method, path, _ in operations(api):
        for header in ({}, {"Authorization": "Bearer avk_wrong"}, {"Authorization": "Basic eDp5"}):
            answer = await nobody.request(method, path, headers=header)
            assert answer.status_code == 401, f"{method} {path}"
            assert answer.headers["www-authenticate"] == "Bearer"
            assert answer.headers["content-type"] == "application/problem+json"
        seen += 1
    assert seen > 30


async def test_a_key_for_something_else_answers_403(api: FastAPI, engine: AsyncEngine) -> None:
    clients: dict[str, httpx.AsyncClient] = {}
    for method, path, needed in operations(api):
        assert needed in scopes.known()
        if needed not in clients:
            others = [s for s in scopes.known() if not scopes.allows([s], needed)]
            clients[needed] = await client_of(api, engine, *others)
        answer = await clients[needed].request(method, path)
        assert answer.status_code == 403, f"{method} {path} with all but {needed}"
        assert needed in answer.json()["detail"]


async def test_reading_goes_with_writing_and_not_the_other_way(
    api: FastAPI, engine: AsyncEngine
) -> None:
    writer = await client_of(api, engine, "prospects:write")
    reader = await client_of(api, engine, "prospects:read")
    assert (await writer.get("/api/prospects")).status_code == 200
    assert (await reader.get("/api/prospects")).status_code == 200
    assert (await reader.post("/api/prospects", json={})).status_code == 403


async def test_a_revoked_key_opens_nothing_at_once(api: FastAPI, engine: AsyncEngine) -> None:
    client = await client_of(api, engine, "*")
    assert (await client.get("/api/tasks")).status_code == 200
    async with transaction(engine) as conn:
        assert await store.revoke(conn, "*", datetime.now(UTC))
    assert (await client.get("/api/tasks")).status_code == 401


async def test_use_is_noted_once_a_minute(api: FastAPI, engine: AsyncEngine) -> None:
    client = await client_of(api, engine, "*")

    async def used() -> datetime | None:
        async with transaction(engine) as conn:
            return (await conn.execute(select(api_keys.c.used_at))).scalar_one()

    assert await used() is None
    await client.get("/api/tasks")
    first = await used()
    await client.get("/api/tasks")
    assert first is not None
    assert await used() == first
    long_ago = first - timedelta(minutes=2)
    async with transaction(engine) as conn:
        await conn.execute(update(api_keys).values(used_at=long_ago))
    await client.get("/api/tasks")
    assert (await used() or long_ago) > long_ago
