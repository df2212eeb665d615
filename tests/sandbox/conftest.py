"""A sandbox of each test's own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from orchestrator.config import Settings
from orchestrator.embedded import Embedded
from tests.conftest import SECRET
from tests.sandbox.providers import Sandbox, opened


@pytest.fixture
def sandbox_settings(servers: Embedded, database_url: str, tmp_path: Path) -> Settings:
    """Settings with the sandbox on."""
    return Settings(
        database_url=database_url,
        redis_url=servers.endpoints.redis_url,
        secret_key=SECRET.decode(),
        data_dir=tmp_path,
        sandbox=True,
    )


@pytest.fixture
async def sandbox(sandbox_settings: Settings) -> AsyncIterator[Sandbox]:
    """A running sandbox."""
    async with opened(sandbox_settings) as made:
        yield made
