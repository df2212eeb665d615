"""`avtale networks`: fetched from files and URLs, through the guard, and known to the pages."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine
from typer.testing import CliRunner, Result

from orchestrator import config
from orchestrator.commands.networks import app
from orchestrator.db import transaction
from orchestrator.embedded import Embedded
from orchestrator.keys import Keys
from orchestrator.models.engagement import engagements
from orchestrator.networks import KnownNetworks
from tests.conftest import SECRET
from tests.pages import sample
from tests.receiver import receiver

BODY = b"203.0.113.0/24,NO,NO-03,Oslo,\n"
CSV = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)


@pytest.fixture
def environment(
    servers: Embedded, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[pytest.MonkeyPatch]:
    """A command line on this test's database."""
    monkeypatch.setenv("AVTALE_DATABASE_URL", database_url)
    monkeypatch.setenv("AVTALE_REDIS_URL", servers.endpoints.redis_url)
    monkeypatch.setenv("AVTALE_SECRET_KEY", SECRET.decode())
    config.get_settings.cache_clear()
    yield monkeypatch
    config.get_settings.cache_clear()


async def avtale(*arguments: object) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, app, [str(one) for one in arguments])


async def test_a_list_from_a_file_is_heeded_by_the_pages(
    engine: AsyncEngine,
    keys: Keys,
    environment: pytest.MonkeyPatch,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    file = tmp_path / "cloud.json"
    file.write_text(
        '{"prefixes": [{"ip_prefix": "203.0.113.0/24"}, {"ip_prefix": "2001:db8::/32"}]}'
    )
    assert (await avtale("update", "cloud")).exit_code == 2  # new: from where, and of what kind?
    done = await avtale("update", "cloud", "--from", file, "--kind", "datacentre")
    assert done.exit_code == 0, done.output
    assert "cloud" in (await avtale("show")).stdout
    assert "cloud (datacentre)" in (await avtale("check", "203.0.113.9")).stdout
    assert (await avtale("check", "192.0.2.1")).exit_code == 1
    assert (await avtale("check", "nothing")).exit_code == 2

    _, who = await sample.one(engine, keys)
    pages = sample.application(engine, keys)
    async with sample.client(pages) as browser:
        for address in ("203.0.113.9", "198.51.100.9"):
            browser._transport.client = (address, 1)  # type: ignore[attr-defined] # ASGITransport's
            await browser.get(f"/c/{who.tokens['click']}")
    await pages.state.avtale.redis.aclose()
    async with transaction(engine) as conn:
        rows = (await conn.execute(select(engagements).order_by(engagements.c.id))).mappings().all()
    assert [row["grade"] for row in rows] == ["machine", "ambiguous"]
    assert rows[0]["reasons"] == ["datacentre_network"]

    file.write_text("<html>Moved</html>")
    assert (await avtale("update", "cloud")).exit_code == 2
    file.write_text("203.0.113.0/24\n")
    assert (await avtale("update")).exit_code == 0
    assert (await avtale("check", "203.0.113.9")).exit_code == 0
    with monkeypatch.context() as elsewhere:
        elsewhere.chdir(tmp_path)
        await avtale("update", "near", "--from", "cloud.json", "--kind", "datacentre")
    assert (await avtale("update", "near")).exit_code == 0  # cron stands in another directory
    assert (await avtale("remove", "cloud")).exit_code == 0
    assert (await avtale("remove", "cloud")).exit_code == 2


async def test_a_list_that_shrinks_by_half_is_kept_as_it_was(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "list.txt"
    file.write_text("".join(f"203.0.113.{number}\n" for number in range(0, 200, 2)))
    assert (await avtale("update", "x", "--from", file, "--kind", "scanner")).exit_code == 0
    file.write_text("203.0.113.0\n")
    refused = await avtale("update", "x")
    assert refused.exit_code == 2
    assert (await avtale("check", "203.0.113.98")).exit_code == 0
    assert (await avtale("update", "x", "--smaller")).exit_code == 0
    assert (await avtale("check", "203.0.113.98")).exit_code == 1


async def test_a_url_is_fetched_through_the_guard(environment: pytest.MonkeyPatch) -> None:
    async with receiver() as (port, seen):
        url = f"http://127.0.0.1:{port}/ranges.csv"
        refused = await avtale("update", "x", "--from", url, "--kind", "scanner")
        assert refused.exit_code == 2
        assert seen == []
        environment.setenv("AVTALE_EGRESS_ALLOW", f"127.0.0.1:{port}")
        config.get_settings.cache_clear()
        refused = await avtale("update", "x", "--from", url, "--kind", "scanner")
        assert refused.exit_code == 2  # 204: there is no list in it
        assert seen[0].startswith(b"GET /ranges.csv ")
    async with receiver(CSV) as (port, _):
        environment.setenv("AVTALE_EGRESS_ALLOW", f"127.0.0.1:{port}")
        config.get_settings.cache_clear()
        url = f"http://127.0.0.1:{port}/ranges.csv"
        assert (await avtale("update", "x", "--from", url, "--kind", "scanner")).exit_code == 0
        assert (await avtale("check", "203.0.113.1")).exit_code == 0


async def test_what_a_process_knows_is_loaded_once(engine: AsyncEngine) -> None:
    known = KnownNetworks()
    async with transaction(engine) as conn:
        assert not (await known.current(conn)).by_name
        assert await known.current(conn) is await known.current(conn)
