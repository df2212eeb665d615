"""A creating POST that is sent twice acts once, and never half."""

import asyncio
from datetime import datetime

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from orchestrator.api.routes import prospects as routes
from orchestrator.db import transaction
from orchestrator.models.access import idempotency_keys
from orchestrator.models.people import prospects
from tests.api.conftest import client_of

OLA = {"email": "ola@prospect.example", "first_name": "Ola", "country": "NO"}


async def people(engine: AsyncEngine) -> int:
    async with transaction(engine) as conn:
        return (await conn.execute(select(func.count()).select_from(prospects))).scalar_one()


async def test_a_repeat_gets_the_same_answer(
    client: httpx.AsyncClient, engine: AsyncEngine
) -> None:
    headers = {"Idempotency-Key": "one"}
    first = await client.post("/api/prospects", json=OLA, headers=headers)
    second = await client.post("/api/prospects", json=OLA, headers=headers)
    assert (first.status_code, second.status_code) == (201, 201), first.text
    assert first.content == second.content
    assert "idempotency-replayed" not in first.headers
    assert second.headers["idempotency-replayed"] == "true"
    assert await people(engine) == 1


async def test_the_key_with_another_request_is_refused(client: httpx.AsyncClient) -> None:
    headers = {"Idempotency-Key": "one"}
    await client.post("/api/prospects", json=OLA, headers=headers)
    other = await client.post("/api/prospects", json=OLA | {"title": "CFO"}, headers=headers)
    assert other.status_code == 422
    assert "another request" in other.json()["detail"]
    elsewhere = await client.post(
        "/api/suppressions", json={"address": "x@prospect.example"}, headers=headers
    )
    assert elsewhere.status_code == 422


async def test_keys_of_two_callers_have_nothing_to_do_with_each_other(
    api: FastAPI, engine: AsyncEngine, client: httpx.AsyncClient
) -> None:
    headers = {"Idempotency-Key": "one"}
    await client.post("/api/prospects", json=OLA, headers=headers)
    other = await client_of(api, engine, "prospects:write")
    answer = await other.post("/api/prospects", json=OLA, headers=headers)
    assert answer.status_code == 409
    assert answer.json()["prospect_id"]


async def test_a_failure_is_not_kept(client: httpx.AsyncClient, engine: AsyncEngine) -> None:
    headers = {"Idempotency-Key": "one"}
    bad = await client.post("/api/prospects", json={"email": "nobody"}, headers=headers)
    assert bad.status_code == 422
    good = await client.post("/api/prospects", json=OLA, headers=headers)
    assert good.status_code == 201
    assert await people(engine) == 1


async def test_while_the_first_one_runs_the_second_is_told_so(
    client: httpx.AsyncClient, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside, go_on = asyncio.Event(), asyncio.Event()
    real = routes.create_prospect

    async def slow(conn: AsyncConnection, *args: object, now: datetime, **rest: object) -> object:
        inside.set()
        await go_on.wait()
        return await real(conn, *args, now=now, **rest)  # type: ignore[arg-type]

    monkeypatch.setattr(routes, "create_prospect", slow)
    headers = {"Idempotency-Key": "one"}
    first = asyncio.create_task(client.post("/api/prospects", json=OLA, headers=headers))
    await inside.wait()
    second = await client.post("/api/prospects", json=OLA, headers=headers)
    go_on.set()
    assert (await first).status_code == 201
    assert second.status_code == 409
    third = await client.post("/api/prospects", json=OLA, headers=headers)
    assert third.headers["idempotency-replayed"] == "true"
    assert await people(engine) == 1


async def test_effect_and_answer_are_one_transaction(
    client: httpx.AsyncClient, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lost(*_: object, **__: object) -> None:
        raise RuntimeError("the process dies here")

    monkeypatch.setattr("orchestrator.store.idempotency.keep", lost)
    headers = {"Idempotency-Key": "one"}
    answer = await client.post("/api/prospects", json=OLA, headers=headers)
    assert answer.status_code == 500
    assert await people(engine) == 0
    async with transaction(engine) as conn:
        assert (await conn.execute(select(idempotency_keys))).first() is None


@pytest.mark.parametrize("key", ["", "x" * 201, "two words"])
async def test_a_key_that_is_none_is_refused(client: httpx.AsyncClient, key: str) -> None:
    answer = await client.post("/api/prospects", json=OLA, headers={"Idempotency-Key": key})
    assert answer.status_code == 422
