"""A person decides about messages in doubt: at the command line, and by the API."""

import json
from typing import Any

import httpx
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from channels.fake import FakeChannel
from orchestrator.db import transaction
from orchestrator.wiring import App
from tests.api.conftest import api, client, client_of, settings
from tests.commands.test_people import avtale
from tests.flows.doubtful import doubtful

__all__ = ["api", "client", "settings"]  # fixtures


async def task_of(engine: AsyncEngine) -> str:
    async with transaction(engine) as conn:
        found = await conn.execute(text("select id from tasks where kind = 'in_doubt'"))
        return str(found.scalar_one())


async def decided_by(engine: AsyncEngine) -> list[Any]:
    async with transaction(engine) as conn:
        rows = await conn.execute(
            text("select detail->>'decided_by' from history where kind = 'task.done'")
        )
        return list(rows.scalars())


async def test_the_command_line_lays_out_and_decides(app: App) -> None:
    made = await doubtful(app, FakeChannel(name="email"))
    task = await task_of(app.engine)
    shown = await avtale(app, "tasks", "show", task)
    for words in (
        *("timeout after the final dot", "sender kari", "worker drain", "attempt 1"),
        *("ola@prospect.example", "it cannot be asked", "they get it twice"),
    ):
        assert words in shown, shown
    preview = await avtale(app, "tasks", "decide", "--outcome", "sent", "--sender", "kari")
    assert task in preview
    assert await made.state() == "in_doubt"
    none = await avtale(app, "tasks", "decide", "--outcome", "sent", "--sender", "nobody", "--yes")
    assert task not in none
    done = await avtale(app, "tasks", "decide", "--outcome", "sent", "--yes", "--json")
    assert [one["left_alone"] for one in json.loads(done)["decided"]] == [None]
    assert await made.state() == "sent"
    assert [str(who)[:3] for who in await decided_by(app.engine)] == ["cli"]


async def test_the_api_lays_out_and_decides(
    app: App, api: FastAPI, client: httpx.AsyncClient, engine: AsyncEngine
) -> None:
    made = await doubtful(app, FakeChannel(name="email"))
    task = await task_of(engine)
    found = (await client.get(f"/api/tasks/{task}/doubt")).json()
    assert (found["sender"], found["phase"]) == ("kari", "timeout after the final dot")
    assert [one["outcome"] for one in found["choices"]] == ["sent", "retry", "abandoned"]
    body: dict[str, Any] = {"outcome": "retry", "sequence": "test"}
    preview = (await client.post("/api/tasks/decide", json=body)).json()
    assert (preview["preview"], [one["task_id"] for one in preview["found"]]) == (True, [task])
    assert await made.state() == "in_doubt"
    later = body | {"handed_after": "2099-01-01T00:00:00Z", "preview": False}
    assert (await client.post("/api/tasks/decide", json=later)).json()["found"] == []
    done = (await client.post("/api/tasks/decide", json=body | {"preview": False})).json()
    assert [one["done"] for one in done["found"]] == [True]
    assert await made.state() == "retry_wait"
    assert await decided_by(engine) == ["api key: *"]
    again = (await client.post("/api/tasks/decide", json=body | {"preview": False})).json()
    assert again["found"] == []


async def test_what_is_no_doubt_has_none(
    api: FastAPI, client: httpx.AsyncClient, engine: AsyncEngine
) -> None:
    nowhere = "01a00000-0000-7000-8000-000000000000"
    assert (await client.get(f"/api/tasks/{nowhere}/doubt")).status_code == 404
    bad = await client.post("/api/tasks/decide", json={"outcome": "perhaps"})
    assert bad.status_code == 422
    reader = await client_of(api, engine, "tasks:read")
    refused = await reader.post("/api/tasks/decide", json={"outcome": "sent"})
    assert refused.status_code == 403
