"""What a start refuses, in words that say what to do."""

import subprocess
import sys
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

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


def test_the_newest_migration_is_known_without_loading_any() -> None:
    """The files' names say what alembic finds by loading them all."""
    chain = ScriptDirectory.from_config(migrate.config())
    assert migrate.head() == chain.get_current_head()
    files = {Path(one.path).name[1:5] for one in chain.walk_revisions()}
    assert files == {one.revision for one in chain.walk_revisions()}


@pytest.mark.parametrize("module", ["orchestrator.api.app", "orchestrator.worker"])
def test_a_start_waits_for_no_library_that_it_does_not_need(module: str) -> None:
    """Each of them costs every start of every process 50 to 200 ms."""
    code = f"import sys, {module}; print(*{{'alembic', 'icalendar'}} & {{*sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
