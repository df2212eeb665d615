"""Real servers for the tests: one embedded PostgreSQL a session, a fresh database a test."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncEngine

from channels.fake import FakeChannel
from orchestrator import migrate
from orchestrator.config import Settings
from orchestrator.db import make_engine
from orchestrator.embedded import Embedded
from orchestrator.ids import uuid7
from orchestrator.keys import Keys
from orchestrator.wiring import App, make_redis

os.environ["AVTALE_ENV_FILE"] = ""  # whoever works here may have a .env; the tests do not
SECRET = b"a secret of the tests, 32 bytes long and more"


@pytest.fixture(scope="session")
def servers() -> Iterator[Embedded]:
    """Embedded PostgreSQL and Valkey; `template_avtale` is migrated to head."""
    home = Path(tempfile.mkdtemp(prefix="avtale-test-"))
    embedded = Embedded(
        home, postgres_options=("fsync=off", "full_page_writes=off", "max_connections=300")
    )
    try:
        embedded.start()
        asyncio.run(migrate.upgrade(embedded.endpoints.database_url))
        yield embedded
    finally:
        embedded.stop()
        shutil.rmtree(home, ignore_errors=True)


def url_of(servers: Embedded, name: str) -> str:
    """The URL of another database of the same server."""
    return servers.endpoints.database_url.replace("@/avtale?", f"@/{name}?")


async def _admin(servers: Embedded, statement: str) -> None:
    conn = await asyncpg.connect(url_of(servers, "postgres"))
    try:
        await conn.execute(statement)
    finally:
        await conn.close()


@pytest.fixture
async def database_url(servers: Embedded) -> AsyncIterator[str]:
    """A database of this test's own, built by the migrations (copied from the migrated one)."""
    name = f"t_{uuid7().hex}"
    await _admin(servers, f"create database {name} template avtale")
    yield url_of(servers, name)
    await _admin(servers, f"drop database {name} with (force)")


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """An engine on this test's database."""
    made = make_engine(database_url, pool_size=5)
    yield made
    await made.dispose()


@pytest.fixture
def keys() -> Keys:
    """Keys of the tests."""
    return Keys(SECRET)


@pytest.fixture
async def app(
    servers: Embedded, database_url: str, engine: AsyncEngine, keys: Keys
) -> AsyncIterator[App]:
    """The parts of a process, with an in-memory channel in the place of email."""
    settings = Settings(
        database_url=database_url,
        redis_url=servers.endpoints.redis_url,
        secret_key=SecretStr(SECRET.decode()),
        base_url="https://avtale.example",
        organisation="Avtale Test AS",
        postal_address="Storgata 1, 0155 Oslo",
    )
    made = App(
        settings=settings,
        engine=engine,
        keys=keys,
        channels={"email": FakeChannel(name="email")},
        redis=make_redis(servers.endpoints.redis_url),
    )
    yield made
    await made.close()
