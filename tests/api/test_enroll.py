"""Enrolling over the API: a dry run changes nothing, and saying it twice enrolls once."""

import httpx
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from orchestrator.db import transaction
from orchestrator.keys import Keys
from orchestrator.models.sequences import enrollments
from tests import make


async def count(engine: AsyncEngine) -> int:
    async with transaction(engine) as conn:
        return (await conn.execute(select(func.count()).select_from(enrollments))).scalar_one()


async def test_dry_run_then_once_each(
    client: httpx.AsyncClient, engine: AsyncEngine, keys: Keys
) -> None:
    async with transaction(engine) as conn:
        await make.world(conn)
        ola = await make.prospect(conn, keys)
        kari = await make.prospect(conn, keys, country="SE", zone="Europe/Stockholm")
    asked = {"sequence": "test", "where": "country = NO"}
    dry = (await client.post("/api/enrollments", json=asked | {"dry_run": True})).json()
    assert (dry["dry_run"], dry["enrolled"], await count(engine)) == (True, 1, 0)
    assert dry["messages"][0]["subject"] == "Hello Ola"
    headers = {"Idempotency-Key": "monday"}
    first = await client.post("/api/enrollments", json=asked, headers=headers)
    again = await client.post("/api/enrollments", json=asked, headers=headers)
    assert first.json()["enrolled"] == 1
    assert again.content == first.content
    assert again.headers["idempotency-replayed"] == "true"
    third = await client.post("/api/enrollments", json={"sequence": "test",
                              "prospect_ids": [str(ola), str(kari)]})  # fmt: skip
    assert third.json()["enrolled"] == 1
    assert third.json()["held"] == {"already_enrolled": 1}
    assert await count(engine) == 2
    listed = (await client.get("/api/enrollments?sequence=test&state=active")).json()["items"]
    assert {one["prospect_id"] for one in listed} == {str(ola), str(kari)}
    story = await client.get(f"/api/prospects/{ola}/why")
    assert any("Enrolled in test (version 1)." in line["text"] for line in story.json()["past"])


async def test_who_is_meant_has_to_be_said_once(client: httpx.AsyncClient) -> None:
    nobody = {"sequence": "test"}
    assert (await client.post("/api/enrollments", json=nobody)).status_code == 422
    bad = await client.post("/api/enrollments", json=nobody | {"where": "country is is"})
    assert bad.status_code == 422
    assert "column" in bad.json()["detail"]
    gone = await client.post("/api/enrollments", json=nobody | {"where": "country = NO"})
    assert gone.status_code == 404


async def test_hosts_are_added_changed_and_removed(client: httpx.AsyncClient) -> None:
    host = {"name": "sales", "display_name": "Kari", "email": "kari@host.example",
            "zone": "Europe/Oslo"}  # fmt: skip
    assert (await client.post("/api/hosts", json=host)).status_code == 201
    assert (await client.post("/api/hosts", json=host)).status_code == 409
    assert (await client.patch("/api/hosts/sales", json={"zone": "Mars"})).status_code == 422
    changed = await client.patch("/api/hosts/sales", json={"weekly": {"mon": ["09:00-10:00"]}})
    assert changed.json()["weekly"] == {"mon": ["09:00-10:00"]}
    day = "/api/hosts/sales/exceptions/2100-12-24"
    assert (await client.put(day, json={"hours": []})).status_code == 200
    listed = (await client.get("/api/hosts/sales/exceptions")).json()["items"]
    assert listed == [{"day": "2100-12-24", "hours": [], "note": ""}]
    assert (await client.delete(day)).status_code == 204
    assert (await client.delete(day)).status_code == 404
    assert (await client.delete("/api/hosts/sales")).status_code == 204
    assert (await client.get("/api/hosts/sales")).status_code == 404
