"""`avtale engagement`: what it prints, and what it leaves alone."""

import asyncio
import json
from collections.abc import Iterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from typer.testing import CliRunner, Result

from orchestrator import config
from orchestrator.commands import engagement as commands
from orchestrator.db import transaction
from orchestrator.embedded import Embedded
from orchestrator.ids import uuid7
from orchestrator.keys import Keys
from orchestrator.models.engagement import engagements
from orchestrator.rules.opens import Hit
from tests.conftest import SECRET
from tests.flows.coming import all_of
from tests.make import NOW
from tests.pages import sample
from tests.seen import note_seen


@pytest.fixture
def environment(
    servers: Embedded, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """A command line on this test's database."""
    monkeypatch.setenv("AVTALE_DATABASE_URL", database_url)
    monkeypatch.setenv("AVTALE_REDIS_URL", servers.endpoints.redis_url)
    monkeypatch.setenv("AVTALE_SECRET_KEY", SECRET.decode())
    config.get_settings.cache_clear()
    yield
    config.get_settings.cache_clear()


async def avtale(*arguments: object) -> Result:
    given = [str(one) for one in arguments]
    return await asyncio.to_thread(CliRunner().invoke, commands.app, given)


async def test_from_a_list_to_an_explanation_and_reading_again(
    engine: AsyncEngine, keys: Keys, environment: None
) -> None:
    _, who = await sample.one(engine, keys)
    async with transaction(engine) as conn:
        hit = Hit("GET", "[bold]Strange/1.0[/bold]", language=True)
        later = NOW.replace(year=2030)
        await note_seen(conn, keys, kind="open", subject=who.messages[0], hit=hit, now=later)
        [row] = await all_of(conn, engagements)
    listed = await avtale("list", who.prospect)
    assert "ambiguous" in listed.stdout
    assert "no_machine_sign" in listed.stdout
    assert json.loads((await avtale("list", who.prospect, "--json")).stdout)[0]["kind"] == "open"
    told = await avtale("explain", row["id"])
    assert "[bold]Strange/1.0[/bold]" in told.stdout  # as it came: text, never markup
    assert "stands (this one)" in told.stdout
    assert "engagement.recorded" in told.stdout
    assert json.loads((await avtale("explain", row["id"], "--json")).stdout)["asked"] == str(
        row["id"]
    )
    assert (await avtale("explain", uuid7())).exit_code == 2
    assert (await avtale("explain", "nonsense")).exit_code == 2
    for more in ((), ("--apply",), ("--person", who.prospect), ("--since", "2020-01-01")):
        done = await avtale("reread", "--json", *more)
        assert json.loads(done.stdout) == {
            "read": 1,
            "applied": "--apply" in more,
            "differences": [],
        }
    told = (await avtale("reread")).output
    assert "1 events read" in told
    assert "--apply" not in told  # there is nothing to apply
