"""A mail as one of us may look at it: nothing in it acts, and the raw one is kept."""

from email.message import EmailMessage

import httpx
from sqlalchemy.ext.asyncio import AsyncEngine

from orchestrator.db import transaction
from orchestrator.flows.take_event import take_event
from orchestrator.ids import uuid7
from orchestrator.models.engagement import provider_events
from tests.flows.coming import row_of
from tests.make import NOW

HTML = """<p onclick="x()">Ja takk</p><script>x()</script><img src="https://t.example/o.gif">
<div class="gmail_quote"><div class="gmail_attr">On 24 Nov 2026, Kari wrote:</div>
<blockquote class="gmail_quote">Hello</blockquote></div>"""


async def test_a_mail_is_shown_clean_and_kept_raw(
    client: httpx.AsyncClient, engine: AsyncEngine
) -> None:
    made = EmailMessage()
    made["From"], made["Subject"] = "Ola <ola@acme.example>", "Re: Hello"
    made.set_content(HTML, subtype="html")
    async with transaction(engine) as conn:
        taken = await take_event(
            conn,
            source="mail",
            external_id="one",
            kind="mail",
            raw=bytes(made),
            detail={},
            now=NOW,
        )
    answer = await client.get(f"/api/events/{taken}/mail")
    assert answer.status_code == 200
    told = answer.json()
    assert (told["subject"], told["written"]) == ("Re: Hello", "Ja takk")
    assert "Hello" in told["text"]
    assert "<p>Ja takk</p>" in told["html"]
    assert "script" not in told["html"]
    assert "onclick" not in told["html"]
    assert "t.example" not in told["html"]
    assert taken is not None
    async with transaction(engine) as conn:
        assert (await row_of(conn, provider_events, taken))["raw"] == bytes(made)
    assert (await client.get(f"/api/events/{uuid7()}/mail")).status_code == 404
