"""What the tests of the sandbox's providers share."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from orchestrator.api.app import create_app
from orchestrator.config import Settings


@dataclass
class Heard:
    """Stands where Avtale's own door would: keeps what the providers send."""

    requests: list[httpx.Request] = field(default_factory=list)
    statuses: Iterator[int] = field(default_factory=lambda: iter(()))

    def take(self, request: httpx.Request) -> httpx.Response:
        """Answer with the next status, else 200."""
        self.requests.append(request)
        return httpx.Response(next(self.statuses, 200))


@dataclass
class Sandbox:
    """A browser on a sandbox, and what its providers say."""

    browser: httpx.AsyncClient
    heard: Heard
    state: Any


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Sandbox]:
    """A running application whose providers talk to `Heard` instead of to it."""
    made = create_app(settings)
    async with made.router.lifespan_context(made):
        transport = httpx.ASGITransport(made, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as browser:
            yield Sandbox(browser, Heard(), made.state)
