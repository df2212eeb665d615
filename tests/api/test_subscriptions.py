"""Webhooks out by the API: secrets are told once, receivers inside are refused."""

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from standardwebhooks import Webhook

from orchestrator.clock import database_now, utc_now
from orchestrator.config import Settings
from orchestrator.db import transaction
from orchestrator.egress import Egress, allowed
from orchestrator.flows.deliver_webhooks import deliver_webhooks
from orchestrator.flows.fan_out import Horizon, fan_out
from orchestrator.wiring import App
from tests.flows.test_webhooks_out import parts
from tests.receiver import receiver


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """An installation that may reach loopback, but not at every port."""
    return settings.model_copy(update={"egress_allow": "127.0.0.1"})


async def test_from_subscribing_to_redelivering(
    client: httpx.AsyncClient, app: App, engine: AsyncEngine, settings: Settings
) -> None:
    async with receiver() as (port, seen):
        url = f"http://127.0.0.1:{port}/hook"
        made = await client.post("/api/subscriptions", json={"url": url, "kinds": ["task.*"]})
        assert made.status_code == 201, made.text
        which, secret = f"/api/subscriptions/{made.json()['id']}", made.json()["secret"]

        tested = await client.post(f"{which}/test")
        assert tested.status_code == 202, tested.text
        egress = Egress(allowed(settings))
        async with transaction(engine) as conn:
            now = await database_now(conn)
        await fan_out(app, now, Horizon())
        subscription_id = tested.json()["subscription_id"]
        assert await deliver_webhooks(app, egress, subscription_id, now=now, wall=utc_now()) == 1
        await egress.close()
        headers, body = parts(seen[0])
    assert Webhook(secret).verify(body, headers)["type"] == "subscription.test"

    one = f"{which}/deliveries/{tested.json()['id']}"
    delivered = (await client.get(one)).json()
    assert delivered["state"] == "delivered"
    assert delivered["body"] == body.decode()
    assert [attempt["status"] for attempt in delivered["attempts"]] == [204]
    listed = (await client.get(f"{which}/deliveries?state=delivered")).json()["items"]
    assert [item["id"] for item in listed] == [tested.json()["id"]]
    assert "body" not in listed[0]
    again = await client.post(f"{one}/redeliver")
    assert (again.status_code, again.json()["state"]) == (202, "pending")
    assert (await client.post(f"{which}/redeliver")).json() == {"deliveries": 0}

    new = (await client.post(f"{which}/rotate", json={"overlap_hours": 1})).json()["secret"]
    assert new != secret
    changed = await client.patch(which, json={"enabled": False, "kinds": ["*"], "about": "CRM"})
    assert changed.json()["disabled_reason"] == "by hand"
    assert (await client.post(f"{which}/test")).status_code == 409
    assert (await client.post(f"{one}/redeliver")).status_code == 409
    shown = await client.get(which)
    everyone = await client.get("/api/subscriptions")
    for answer in (changed, shown, everyone):
        assert secret not in answer.text
        assert new not in answer.text
    async with transaction(engine) as conn:
        for table in ("subscriptions", "deliveries", "attempts", "history", "idempotency_keys"):
            dumped = str((await conn.exec_driver_sql(f"select {table}::text from {table}")).all())
            for told in (secret, new):
                assert told.removeprefix("whsec_") not in dumped
                assert told.encode().hex() not in dumped
    assert (await client.delete(which)).status_code == 204
    for gone in (which, one, f"{which}/deliveries"):
        assert (await client.get(gone)).status_code == 404
    assert (await client.delete(which)).status_code == 404


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.2:9000/", "https://127.0.0.2/", "https://[::1]/", "https://10.0.0.1/",
        "https://169.254.169.254/", "https://[::ffff:127.0.0.1]/", "https://2130706433/", "nothing",
        "https://user@1.1.1.1/", "http://1.1.1.1/", "https://1.1.1.1:6379/", "https://1.1.1.1/#x",
    ],
)  # fmt: skip
async def test_a_receiver_inside_is_refused(client: httpx.AsyncClient, url: str) -> None:
    answer = await client.post("/api/subscriptions", json={"url": url, "kinds": ["*"]})
    assert answer.status_code == 422, answer.text
    assert answer.json()["type"] == "/docs#problem-bad-input"
    assert (await client.get("/api/subscriptions")).json()["items"] == []


async def test_kinds_are_checked(client: httpx.AsyncClient) -> None:
    for kinds in ([], ["prospect.*"], ["*.*"], [""], "*"):
        answer = await client.post(
            "/api/subscriptions", json={"url": "https://1.1.1.1/", "kinds": kinds}
        )
        assert answer.status_code == 422, answer.text
