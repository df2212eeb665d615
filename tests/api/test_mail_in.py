"""The door for raw mail: signed, capped, stored before it answers."""

import base64
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncEngine

from orchestrator.api import mail_in, problems
from orchestrator.clock import utc_now
from orchestrator.config import Settings
from orchestrator.db import transaction
from orchestrator.keys import Keys
from orchestrator.models.engagement import provider_events
from orchestrator.rules import standard_webhook
from orchestrator.wiring import App, make_redis
from tests.flows.coming import all_of
from tests.rules.test_mail_reading import mail

KEY = b"k" * 32
SECRET = "whsec_" + base64.b64encode(KEY).decode()


@pytest.fixture
async def client(engine: AsyncEngine, keys: Keys) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the mail endpoint alone."""
    settings = Settings(mail_secret=SecretStr(SECRET))
    api = FastAPI()
    problems.install(api)
    api.include_router(mail_in.router)
    api.state.avtale = App(settings, engine, keys, {}, make_redis("redis://127.0.0.1:1"))
    transport = httpx.ASGITransport(api)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as made:
        yield made
    await api.state.avtale.redis.aclose()


def signed(body: bytes, *, webhook_id: str = "msg_1", ago: int = 0, **more: str) -> dict[str, str]:
    """Headers of a delivery signed `ago` seconds ago."""
    at = int(utc_now().timestamp()) - ago
    return {
        "content-type": "message/rfc822",
        "webhook-id": webhook_id,
        "webhook-timestamp": str(at),
        "webhook-signature": standard_webhook.sign(KEY, webhook_id, at, body),
    } | {name.replace("_", "-"): value for name, value in more.items()}


async def test_a_signed_mail_is_stored_once(client: httpx.AsyncClient, engine: AsyncEngine) -> None:
    body = mail()
    to = "<kari@sender.example>, x@y.example"
    for _ in range(2):
        answer = await client.post(
            "/hooks/mail", content=body, headers=signed(body, x_avtale_envelope_to=to)
        )
        assert (answer.status_code, answer.content) == (204, b"")
    async with transaction(engine) as conn:
        [row] = await all_of(conn, provider_events)
    assert (row["raw"], row["source"], row["external_id"]) == (body, "mail", "msg_1")
    assert row["detail"]["envelope_to"] == ["kari@sender.example", "x@y.example"]
    assert row["state"] == "stored"


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-signature": ""},
        {"webhook-signature": "v1,AAAA"},
        {"webhook-signature": "v1,æøå".encode("latin-1")},
        {"webhook-id": "msg_2"},
        {"webhook-id": ""},
        {"webhook-timestamp": "1"},
        {"webhook-timestamp": "٣"},
        {"webhook-timestamp": "9" * 400},
        {"webhook-timestamp": "-5"},
    ],
)
async def test_what_is_not_signed_is_refused(
    client: httpx.AsyncClient, engine: AsyncEngine, change: dict[str, Any]
) -> None:
    body = mail()
    headers = {name: value.encode() for name, value in signed(body).items()}
    headers |= {k: v if isinstance(v, bytes) else v.encode() for k, v in change.items()}
    answer = await client.post("/hooks/mail", content=body, headers=headers)
    assert answer.status_code == 401
    async with transaction(engine) as conn:
        assert await all_of(conn, provider_events) == []


async def test_old_and_changed_deliveries_are_refused(client: httpx.AsyncClient) -> None:
    body = mail()
    for content, headers in (
        (body, signed(body, ago=301)),
        (body, signed(body, ago=-310)),
        (body + b"x", signed(body)),
        (body, {}),
    ):
        answer = await client.post("/hooks/mail", content=content, headers=headers)
        assert answer.status_code == 401
        assert answer.headers["content-type"] == "application/problem+json"


async def test_too_large_is_refused_while_it_streams(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mail_in, "MOST", 1000)

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 600

    answer = await client.post("/hooks/mail", content=endless(), headers=signed(b""))
    assert answer.status_code == 413


async def test_without_a_secret_the_door_is_closed(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    transport: Any = client._transport
    monkeypatch.setattr(transport.app.state.avtale.settings, "mail_secret", None)
    body = mail()
    assert (await client.post("/hooks/mail", content=body, headers=signed(body))).status_code == 404


@given(st.text(max_size=60), st.text(max_size=20), st.text(max_size=80), st.binary(max_size=40))
def test_no_header_makes_the_verification_raise(
    webhook_id: str, timestamp: str, signature: str, body: bytes
) -> None:
    assert not standard_webhook.verify(
        KEY,
        webhook_id=webhook_id,
        timestamp=timestamp,
        signature=signature,
        body=body,
        now=utc_now(),
    )


@pytest.mark.corpus
def test_vectors_of_the_specification_verify() -> None:
    path = Path(__file__).parents[3] / "shared" / "corpora" / "webhooks" / "vectors.json"
    if not path.exists():
        pytest.skip("../shared/corpora is not here")
    for one in json.loads(path.read_text())["standard_webhooks_svix"]:
        key = standard_webhook.key_of(one["secret"])
        given_at = datetime.fromtimestamp(int(one["timestamp"]), UTC)
        headers = {"webhook_id": one["id"], "timestamp": one["timestamp"]}
        body, signature = one["body"].encode(), one["signature"]
        assert standard_webhook.verify(
            key, **headers, signature=f"v1,x {signature}", body=body, now=given_at
        )
        assert not standard_webhook.verify(
            key, **headers, signature=signature, body=body + b" ", now=given_at
        )
