"""`/api/late`: what waits because it is late, decided in bulk."""

from httpx import AsyncClient

from orchestrator.sender import drain
from orchestrator.wiring import App
from tests.flows.test_late import outage, planned


async def test_a_preview_changes_nothing_and_a_decision_counts_once(
    app: App, client: AsyncClient
) -> None:
    await planned(app, 2)
    await outage(app, 48)
    assert await drain(app) == 0
    (group,) = (await client.get("/api/late")).json()
    assert (group["sequence"], group["step"], group["waiting"]) == ("test", "hello", 2)
    shown = (await client.post("/api/late/decide", json={"outcome": "send"})).json()
    assert shown == {"preview": True, "waiting": 2, "done": 0, "refused": {}}
    assert await drain(app) == 0
    order = {"outcome": "send", "sequence": "test", "preview": False}
    assert (await client.post("/api/late/decide", json=order)).json()["done"] == 2
    assert (await client.post("/api/late/decide", json=order)).json()["done"] == 0
    assert await drain(app) == 2
