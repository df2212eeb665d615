"""Stages in /metrics: of this process, and of the workers as they told with their heartbeats."""

import json
from collections.abc import Iterator

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from orchestrator import stages
from orchestrator.api import health
from orchestrator.clock import database_now
from orchestrator.db import transaction
from orchestrator.store import heartbeats
from orchestrator.wiring import App
from orchestrator.worker import Worker

Samples = dict[tuple[str, str, str, str], float]


@pytest.fixture(autouse=True)
def _anew(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(health, "_FRESH", -1.0)
    stages.reset()
    yield
    stages.reset()


async def shown(client: httpx.AsyncClient) -> Samples:
    """(sample, process, stage, bound) -> value, as a Prometheus would read it."""
    answer = await client.get("/metrics")
    return {
        (one.name, one.labels["process"], one.labels["stage"], one.labels.get("le", "")): one.value
        for family in text_string_to_metric_families(answer.text)
        if family.name == "avtale_stage_seconds"
        for one in family.samples
    }


async def test_this_process_shows_its_own(client: httpx.AsyncClient) -> None:
    stages.observe("webhook", 0.004, 2)
    found = await shown(client)
    assert found["avtale_stage_seconds_count", "api", "webhook", ""] == 2
    assert found["avtale_stage_seconds_sum", "api", "webhook", ""] == 0.004
    assert found["avtale_stage_seconds_bucket", "api", "webhook", "0.001"] == 0
    assert found["avtale_stage_seconds_bucket", "api", "webhook", "0.0025"] == 2
    assert found["avtale_stage_seconds_bucket", "api", "webhook", "+Inf"] == 2


async def test_a_worker_tells_with_its_heartbeat(client: httpx.AsyncClient, app: App) -> None:
    worker = Worker(app)
    stages.observe("smtp", 0.03)
    async with transaction(app.engine) as conn:
        now = await database_now(conn)
    await worker._beat(app, now)
    stages.reset()
    found = await shown(client)
    assert found["avtale_stage_seconds_count", worker.name, "smtp", ""] == 1
    assert found["avtale_stage_seconds_sum", worker.name, "smtp", ""] == 0.03
    assert {process for _, process, _, _ in found} == {worker.name}


async def test_who_is_dead_or_of_another_version_is_not_shown(
    client: httpx.AsyncClient, engine: AsyncEngine
) -> None:
    stages.observe("smtp", 0.03)
    told = {"stages": stages.told()}
    stages.reset()
    async with transaction(engine) as conn:
        await heartbeats.beat(conn, "lives", json.dumps(told))
        await heartbeats.beat(conn, "dead", json.dumps(told))
        await heartbeats.beat(conn, "old", json.dumps({"sent": 3}))
        await heartbeats.beat(conn, "new", json.dumps({"stages": {"fly": [1]}}))
        await conn.execute(
            text(
                "update heartbeats set beat_at = beat_at - interval '1 minute'"
                " where worker = 'dead'"
            )
        )
    assert {process for _, process, _, _ in await shown(client)} == {"lives"}
