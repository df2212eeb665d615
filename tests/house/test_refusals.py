"""What a start refuses, in words that say what to do."""

import pytest

from orchestrator import db, migrate
from orchestrator.db import check_server, make_engine
from orchestrator.embedded import Embedded
from orchestrator.errors import SetupError
from tests.conftest import url_of


async def _check(url: str) -> None:
    engine = make_engine(url, pool_size=1)
    try:
        await check_server(engine, head=migrate.head())
    finally:
        await engine.dispose()


async def test_a_database_that_is_migrated_is_taken(database_url: str) -> None:
    await _check(database_url)


async def test_a_database_that_is_not_migrated(servers: Embedded) -> None:
    with pytest.raises(SetupError, match=r"migration none.*run `avtale migrate`"):
        await _check(url_of(servers, "postgres"))


async def test_a_postgresql_that_is_too_old(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db, "MINIMUM_SERVER", 990000)
    with pytest.raises(SetupError, match="too old: Avtale needs 15 or newer"):
        await _check(database_url)


@pytest.mark.parametrize("url", ["mysql://x/y", "sqlite:///x"])
def test_a_url_of_another_kind_of_database(url: str) -> None:
    with pytest.raises(SetupError, match="must be a postgresql:// URL"):
        make_engine(url)
