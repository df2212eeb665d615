"""The pages over this test's database."""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine

from orchestrator.keys import Keys
from tests.pages import sample


@pytest.fixture
async def pages_app(engine: AsyncEngine, keys: Keys) -> AsyncIterator[FastAPI]:
    """An application with the pages only."""
    app = sample.application(engine, keys)
    yield app
    await app.state.avtale.redis.aclose()


@pytest.fixture
async def browser(pages_app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A person's browser."""
    async with sample.client(pages_app) as client:
        yield client
