"""The sandbox's pages and its post office on a running application."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from orchestrator.api.app import create_app
from orchestrator.clock import database_now, utc_now
from orchestrator.config import Settings
from orchestrator.db import transaction
from orchestrator.embedded import Embedded
from orchestrator.keys import Keys
from orchestrator.sandbox.faults import Envelope
from orchestrator.sandbox.mailbox import Mailbox
from orchestrator.sandbox.post_office import PostOffice, folder
from orchestrator.store import sandbox
from tests import make
from tests.conftest import SECRET

NASTY = "<script>alert('x')</script>"
MAIL = (
    f"From: {NASTY} <kari@sender.example>\r\nTo: {NASTY} <ola@acme.example>\r\n"
    f"Subject: {NASTY}\r\nMessage-ID: <{NASTY}@x>\r\n\r\n{NASTY}\r\n"
).encode()


@pytest.fixture
def settings(servers: Embedded, database_url: str, tmp_path: Path) -> Settings:
    """A sandbox of this test's own."""
    return Settings(
        database_url=database_url,
        redis_url=servers.endpoints.redis_url,
        secret_key=SECRET.decode(),
        mail_secret="whsec_" + "QUJD" * 8,
        data_dir=tmp_path,
        sandbox=True,
    )


@pytest.fixture
async def client(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A browser on the sandbox."""
    made = create_app(settings)
    async with made.router.lifespan_context(made):
        transport = httpx.ASGITransport(made, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as browser:
            yield browser


async def test_what_a_mail_says_is_shown_and_never_run(
    client: httpx.AsyncClient, settings: Settings, engine: AsyncEngine, keys: Keys
) -> None:
    async with transaction(engine) as conn:
        await make.world(conn)
        await make.prospect(conn, keys, address="ola@acme.example", first_name=NASTY)
    name = Mailbox(folder(settings)).add(
        Envelope("kari@sender.example", ["ola@acme.example"], MAIL)
    )
    for path in ("", "/live", f"/mail/{name}", "?person=ola@acme.example"):
        answer = await client.get(f"/sandbox{path}")
        assert answer.status_code == 200, answer.text
        assert NASTY not in answer.text
        assert "script-src" not in answer.headers["content-security-policy"]
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert "You are &lt;script&gt;" in (await client.get(f"/sandbox/mail/{name}")).text


@pytest.mark.parametrize("path", ["/sandbox/mail/..%2F..%2Fsecret", "/sandbox/mail/1-2-3"])
async def test_a_mail_that_is_not_there(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == 404


async def test_no_other_site_presses_a_button(
    client: httpx.AsyncClient, engine: AsyncEngine
) -> None:
    for origin, status in (("https://evil.example", 403), ("http://test", 303)):
        answer = await client.post("/sandbox/clock", data={"to": "day"}, headers={"origin": origin})
        assert answer.status_code == status
    async with transaction(engine) as conn:
        assert await sandbox.ahead(conn) == timedelta(days=1)


async def test_time_moves_to_what_is_due_next(
    client: httpx.AsyncClient, engine: AsyncEngine, keys: Keys
) -> None:
    due = utc_now() + timedelta(days=5)
    async with transaction(engine) as conn:
        world = await make.world(conn)
        person = await make.prospect(conn, keys)
        await make.enrollment(conn, world, person, now=due)
    await client.post("/sandbox/clock", data={"to": "next"})
    async with transaction(engine) as conn:
        assert timedelta(0) <= await database_now(conn) - due < timedelta(seconds=10)


async def test_there_is_no_sandbox_unless_it_was_asked_for(settings: Settings) -> None:
    made = create_app(settings.model_copy(update={"sandbox": False}))
    async with made.router.lifespan_context(made):
        transport = httpx.ASGITransport(made, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as browser:
            assert (await browser.get("/sandbox")).status_code == 404
            assert (await browser.post("/sandbox/clock", data={"to": "day"})).status_code == 404


async def test_mail_to_a_sender_is_kept_only_when_avtale_took_it(
    settings: Settings, engine: AsyncEngine
) -> None:
    async with transaction(engine) as conn:
        await make.world(conn)  # kari@sender.example is a sender
    nobody_listens = settings.model_copy(update={"port": 9})
    office = PostOffice(nobody_listens, engine)
    try:
        to_sender = Envelope("ola@acme.example", ["Kari+token@sender.example"], MAIL)
        refused = await asyncio.wait_for(office.take(to_sender), 10)
        assert refused is not None
        assert refused.startswith("451")
        assert office.mailbox.names() == []
        to_prospect = Envelope("kari@sender.example", ["ola@acme.example"], MAIL)
        assert await office.take(to_prospect) is None
        assert len(office.mailbox.names()) == 1
    finally:
        await office.close()
