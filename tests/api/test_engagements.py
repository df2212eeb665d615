"""An engagement explained over the API."""

from uuid import uuid4

import httpx
from sqlalchemy.ext.asyncio import AsyncEngine

from orchestrator.db import transaction
from orchestrator.keys import Keys
from tests import make
from tests.flows.coming import person, say


async def test_an_explanation_tells_the_verdicts_and_what_they_led_to(
    client: httpx.AsyncClient, engine: AsyncEngine, keys: Keys
) -> None:
    async with transaction(engine) as conn:
        who, _, message = await person(conn, keys, await make.world(conn))
        click = {"kind": "click", "grade": "ambiguous", "reasons": ["no_machine_sign"]}
        first = await say(conn, keys, who, None, message_id=message, **click)
        swept = {"kind": "click", "grade": "machine", "reasons": ["several_links_at_once"]}
        await say(conn, keys, who, None, message_id=message, revises=first, **swept)
    answer = await client.get(f"/api/engagements/{first}/explanation")
    assert answer.status_code == 200
    told = answer.json()
    assert [one["grade"] for one in told["verdicts"]] == ["ambiguous", "machine"]
    assert [one["stands"] for one in told["verdicts"]] == [False, True]
    assert "within seconds" in told["verdicts"][1]["because"][0]
    assert [line["kind"] for line in told["led_to"]] == ["engagement.recorded"] * 2
    assert told["seen"] is told["unlock"] is None
    missing = await client.get(f"/api/engagements/{uuid4()}/explanation")
    assert missing.status_code == 404
