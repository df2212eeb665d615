"""Alive, ready and counted: each for the reason that it says."""

import re
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import func, insert, text, update
from sqlalchemy.ext.asyncio import AsyncEngine

from orchestrator.api import health
from orchestrator.config import Settings
from orchestrator.db import transaction
from orchestrator.keys import Keys
from orchestrator.models.messages import lanes, senders
from orchestrator.models.work import heartbeats
from orchestrator.rules import readiness
from orchestrator.wiring import make_redis
from tests import make
from tests.api.conftest import client_of


@pytest.fixture(autouse=True)
def _look_every_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_FRESH", -1.0)


async def beat(engine: AsyncEngine, age: timedelta = timedelta()) -> None:
    async with transaction(engine) as conn:
        await conn.execute(
            insert(heartbeats).values(worker="w1", beat_at=func.clock_timestamp() - age)
        )


async def late_message(engine: AsyncEngine, keys: Keys, minutes: int) -> None:
    async with transaction(engine) as conn:
        now = (await conn.execute(text("select clock_timestamp()"))).scalar_one()
        long_ago = now - timedelta(minutes=minutes)
        world = await make.world(conn)
        ola = await make.prospect(conn, keys)
        mail = await make.identity(conn, keys, ola, "o@prospect.example")
        enrolled = await make.enrollment(conn, world, ola)
        await make.message(conn, world, ola, enrolled, mail, now=long_ago)
        await conn.execute(update(lanes).values(free_at=long_ago))


async def ready(client: httpx.AsyncClient) -> tuple[int, dict[str, Any]]:
    answer = await client.get("/readyz")
    return answer.status_code, answer.json()


async def test_alive_without_a_key(api: FastAPI, engine: AsyncEngine) -> None:
    nobody = await client_of(api, engine)
    assert (await nobody.get("/healthz")).json() == {"status": "alive"}
    assert (await nobody.get("/readyz")).status_code == 503
    assert (await nobody.get("/metrics")).status_code == 200


async def test_ready_with_a_worker_and_not_without(
    client: httpx.AsyncClient, engine: AsyncEngine
) -> None:
    status, body = await ready(client)
    assert (status, body["checks"]["worker"]["state"]) == (503, "failing")
    await beat(engine)
    status, body = await ready(client)
    assert (status, body["status"]) == (200, "ready")
    async with transaction(engine) as conn:
        await conn.execute(
            update(heartbeats).values(beat_at=func.clock_timestamp() - timedelta(seconds=40))
        )
    status, body = await ready(client)
    assert status == 503
    assert "40 s old" in body["checks"]["worker"]["detail"]


async def test_a_message_that_could_have_left_is_overdue(
    client: httpx.AsyncClient, engine: AsyncEngine, keys: Keys
) -> None:
    await beat(engine)
    await late_message(engine, keys, 11)
    status, body = await ready(client)
    assert (status, body["checks"]["messages"]["state"]) == (503, "failing")


@pytest.mark.parametrize("why", ["paused", "parked", "gap", "cap"])
async def test_a_message_that_its_lane_keeps_back_is_not(
    client: httpx.AsyncClient, engine: AsyncEngine, keys: Keys, why: str
) -> None:
    await beat(engine)
    await late_message(engine, keys, 60)
    soon = func.clock_timestamp() + timedelta(minutes=1)
    today = text("(clock_timestamp() at time zone 'UTC')::date")
    change = {
        "paused": update(senders).values(paused_at=func.now()),
        "parked": update(lanes).values(parked_until=soon),
        "gap": update(lanes).values(free_at=soon),
        "cap": update(lanes).values(day=today, used=100_000),
    }[why]
    async with transaction(engine) as conn:
        await conn.execute(change)
    assert (await ready(client))[0] == 200


async def test_without_redis_it_is_degraded_and_ready(
    api: FastAPI, client: httpx.AsyncClient, engine: AsyncEngine
) -> None:
    await beat(engine)
    opened = api.state.avtale
    real, opened.redis = opened.redis, make_redis("redis://127.0.0.1:1/0")
    try:
        status, body = await ready(client)
    finally:
        await opened.redis.aclose()
        opened.redis = real
    assert (status, body["status"]) == (200, "degraded")
    assert body["checks"]["redis"]["state"] == "degraded"


async def test_a_worker_that_no_doorbell_reaches_is_named_with_since_when(
    client: httpx.AsyncClient, engine: AsyncEngine
) -> None:
    """Redis answers and takes nothing: sending goes on, and readyz says which worker is deaf."""
    ago = func.clock_timestamp() - timedelta(minutes=5)
    async with transaction(engine) as conn:
        fresh = {"beat_at": func.clock_timestamp(), "started_at": ago}
        for worker, canary in (("deaf", ago), ("mute", None), ("well", func.clock_timestamp())):
            await conn.execute(insert(heartbeats).values(worker=worker, canary_at=canary, **fresh))
        await conn.execute(insert(heartbeats).values(worker="young", canary_at=None))
        await conn.execute(
            insert(heartbeats).values(worker="dead", canary_at=ago, beat_at=ago, started_at=ago)
        )
    status, body = await ready(client)
    check = body["checks"]["doorbells"]
    assert (status, body["status"], check["state"]) == (200, "degraded", "degraded")
    assert "deaf since 20" in check["detail"]
    assert re.search(r"deaf since 20\S+ \S+ \(3\d\d s\)", check["detail"])
    assert "mute since 20" in check["detail"]
    assert not any(name in check["detail"] for name in ("well", "young", "dead"))
    assert "avtale_deaf_workers 2.0" in (await client.get("/metrics")).text


async def test_without_the_database_it_says_so_everywhere(
    settings: Settings, api: FastAPI, client: httpx.AsyncClient
) -> None:
    from orchestrator.db import make_engine

    opened = api.state.avtale
    real, opened.engine = opened.engine, make_engine("postgresql://x@127.0.0.1:1/x")
    try:
        status, body = await ready(client)
        listed = await client.get("/api/tasks")
        metrics = await client.get("/metrics")
        alive = await client.get("/healthz")
    finally:
        await opened.engine.dispose()
        opened.engine = real
    assert (status, body["checks"]["database"]["state"]) == (503, "failing")
    assert listed.status_code == 503
    assert listed.headers["content-type"] == "application/problem+json"
    assert listed.headers["retry-after"] == "1"
    assert "avtale_database_up 0.0" in metrics.text
    assert alive.status_code == 200


async def test_metrics_count_and_name_nobody(
    client: httpx.AsyncClient, engine: AsyncEngine, keys: Keys
) -> None:
    await late_message(engine, keys, 20)
    await client.get("/api/prospects/019aaaaa-0000-7000-8000-000000000000")
    await client.get("/nowhere/ola@prospect.example")
    shown = (await client.get("/metrics")).text
    assert 'avtale_messages{state="pending"} 1.0' in shown
    assert "avtale_oldest_overdue_seconds 12" in shown
    assert "avtale_worker_heartbeat_seconds NaN" in shown
    assert 'route="/api/prospects/{prospect_id}"' in shown
    assert 'route="unmatched"' in shown
    assert "019aaaaa" not in shown
    assert "ola@" not in shown


def test_the_verdict_is_the_worst_of_the_checks() -> None:
    fine = readiness.overdue(0)
    assert readiness.verdict([fine, readiness.redis("is gone")]) == "degraded"
    assert readiness.verdict([fine, readiness.worker(None)]) == "not ready"
    assert readiness.verdict([fine, readiness.worker(29.0)]) == "ready"
    assert readiness.database(None, "0001", "0002").state == "failing"
