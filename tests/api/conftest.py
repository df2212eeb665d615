"""A running application on a real database, and a client that holds an API key."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine

from orchestrator.api.app import create_app
from orchestrator.config import Settings
from orchestrator.db import transaction
from orchestrator.embedded import Embedded
from orchestrator.flows.create_key import create_key
from tests.conftest import SECRET


@pytest.fixture
def settings(servers: Embedded, database_url: str, tmp_path: Path) -> Settings:
    """Settings of an installation that is this test's own."""
    return Settings(
        database_url=database_url,
        redis_url=servers.endpoints.redis_url,
        secret_key=SECRET.decode(),
        data_dir=tmp_path,
        organisation="Testing AS",
    )


@pytest.fixture
async def api(settings: Settings) -> AsyncIterator[FastAPI]:
    """The application, started."""
    made = create_app(settings)
    async with made.router.lifespan_context(made):
        yield made


async def client_of(api: FastAPI, engine: AsyncEngine, *scopes: str) -> httpx.AsyncClient:
    """A client whose key has these scopes; without scopes, one without a key."""
    headers = {}
    if scopes:
        async with transaction(engine) as conn:
            made = await create_key(conn, name="-".join(scopes), scopes=scopes, role="admin")
        headers["Authorization"] = f"Bearer {made.secret}"
    transport = httpx.ASGITransport(api, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers)


@pytest.fixture
async def client(api: FastAPI, engine: AsyncEngine) -> AsyncIterator[httpx.AsyncClient]:
    """A client that may do everything."""
    made = await client_of(api, engine, "*")
    async with made:
        yield made
