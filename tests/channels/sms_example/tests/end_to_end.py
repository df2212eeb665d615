"""A text message leaves and its answer comes back: through planner, sender and webhook door."""

from typing import Any

import httpx
from fastapi import FastAPI
from sqlalchemy import text

from orchestrator.clock import database_now
from orchestrator.db import transaction
from orchestrator.flows.plan import plan
from orchestrator.flows.read_events import read_events
from orchestrator.sender import drain
from orchestrator.wiring import App
from tests.api.conftest import api, client, settings
from tests.channels.sms.gateway import HOOK, KEY, Gateway, serving, signed

__all__ = ["api", "client", "settings"]  # fixtures
ALWAYS = {"days": "mon-sun", "hours": "00:00-24:00"}
SEQUENCE = """sequence: by-phone
language: en
channels: [sms]
window: {days: mon-sun, hours: "00:00-24:00"}
steps:
  - id: hello
    send: {text: "Hello {{ first_name }}, may I show you how?"}
  - {id: listen, until: engaged, within: 5 days, then: offer, otherwise: end}
  - id: offer
    call: {host: sales, length: 20 minutes}
"""


async def _rows(app: App, query: str) -> list[tuple[Any, ...]]:
    async with transaction(app.engine) as conn:
        return [tuple(row) for row in await conn.execute(text(query))]


async def _turn(app: App) -> None:
    """Plan, send and read until nothing moves."""
    for _ in range(6):
        async with transaction(app.engine) as conn:
            now = await database_now(conn)
        if not await plan(app, now) + await drain(app) + await read_events(app, now):
            return


async def _post(client: httpx.AsyncClient, path: str, **body: Any) -> Any:
    answer = await client.post(path, json=body)
    assert answer.status_code in (200, 201), answer.text
    return answer.json()


async def _prepare(client: httpx.AsyncClient, port: int) -> None:
    await _post(
        client, "/api/senders", name="oslo", channel="sms", address="+47 999 99 999",
        settings={"base_url": f"http://127.0.0.1:{port}"}, zone="Europe/Oslo", hours=ALWAYS,
        secrets={"api_key": KEY, "webhook_secret": HOOK}, gap_seconds=0, gap_jitter_seconds=0,
    )  # fmt: skip
    await _post(
        client, "/api/hosts", name="sales", display_name="Kari", email="kari@sender.example",
        zone="Europe/Oslo",
    )  # fmt: skip
    await _post(client, "/api/sequences/publish", text=SEQUENCE)
    person = await _post(
        client, "/api/prospects", identities={"sms": "+47 900 00 001"}, first_name="Ola",
        last_name="Hansen", language="en", country="NO", zone="Europe/Oslo",
    )  # fmt: skip
    made = await _post(client, "/api/enrollments", sequence="by-phone", prospect_ids=[person["id"]])
    assert made["enrolled"] == 1, made


async def test_a_text_message_earns_a_call(api: FastAPI, client: httpx.AsyncClient) -> None:
    app: App = api.state.avtale
    async with serving(Gateway()) as gateway:
        await _prepare(client, gateway.port)
        await _turn(app)
        assert [one["to"] for one in gateway.taken] == ["+4790000001"]
        assert gateway.taken[0]["text"].startswith("Hello Ola, may I show you how?")
        assert await _rows(app, "select channel, state, provider_ref from messages") == [
            ("sms", "sent", "sms-1")
        ]
        assert await _rows(app, "select id from unlocks") == []
        delivered = {"id": "e1", "type": "delivered", "to": "+4790000001", "message": "sms-1"}
        said = {"id": "e2", "type": "reply", "from": "+4790000001", "text": "Yes, tell me more!"}
        for event in (delivered, said, said):
            body, headers = signed(event)
            answer = await client.post("/hooks/sms/oslo", content=body, headers=headers)
            assert answer.status_code == 200, answer.text
        body, headers = signed({**said, "id": "e3"}, secret="forged")
        forged = await client.post("/hooks/sms/oslo", content=body, headers=headers)
        assert forged.status_code == 401
        await _turn(app)
        assert await _rows(app, "select kind, grade, meaning from engagements where"
                                " grade = 'human'") == [
            ("direct_message", "human", "interested")
        ]  # fmt: skip
        assert len(await _rows(app, "select id from unlocks")) == 1
        assert len(gateway.taken) == 2
        assert "/p/" in gateway.taken[1]["text"]
