"""What the stages of a rehearsal share: the API, the clock, and waiting for what should come."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx

from orchestrator.config import Settings
from orchestrator.sandbox.commands import Commands
from orchestrator.sandbox.mailbox import Mailbox
from orchestrator.sandbox.post_office import folder

PATIENCE = 60.0  # seconds for what should come; seconds do on a machine that is not busy
_STILL = 0.7  # seconds without news after which time moves on

T = TypeVar("T")


class StageFailed(AssertionError):
    """A stage did not come out as promised; the message says what was seen."""


def require(condition: object, message: str) -> None:
    """Raise StageFailed unless `condition`."""
    if not condition:
        raise StageFailed(message)


@dataclass
class Stagehand:
    """One installation, looked at through its API."""

    settings: Settings
    avtale: Commands

    def __post_init__(self) -> None:
        self.mailbox = Mailbox(folder(self.settings))
        self.http = httpx.AsyncClient(
            base_url=self.settings.base_url, timeout=15, trust_env=False, follow_redirects=False
        )

    async def rows(self, path: str, **query: str) -> list[dict[str, Any]]:
        """A list of the API."""
        answer = await self.http.get(path, params={"limit": "100", **query})
        require(answer.status_code == 200, f"{path} answered {answer.status_code}: {answer.text}")
        found: list[dict[str, Any]] = answer.json()["items"]
        return found

    async def until(self, look: Callable[[], Awaitable[T | None]], what: str) -> T:
        """What `look` finds, as soon as it finds something."""
        deadline = time.monotonic() + PATIENCE
        while (found := await look()) is None:
            require(time.monotonic() < deadline, f"{what} did not come in {PATIENCE:.0f} s")
            await asyncio.sleep(0.1)
        return found

    async def advance(self, look: Callable[[], Awaitable[T | None]], what: str) -> T:
        """The same, moving time to the next thing due whenever nothing happens."""
        deadline = time.monotonic() + PATIENCE
        before, since = await self._stand(), time.monotonic()
        while (found := await look()) is None:
            require(time.monotonic() < deadline, f"{what} did not come in {PATIENCE:.0f} s")
            stand = await self._stand()
            if stand != before:
                before, since = stand, time.monotonic()
            elif time.monotonic() - since > _STILL:
                await self.move("next")
                since = time.monotonic()
            await asyncio.sleep(0.1)
        return found

    async def _stand(self) -> tuple[int, int]:
        rows = await self.rows("/api/messages")
        return len(self.mailbox.names()), sum(row["state"] == "sent" for row in rows)

    async def move(self, to: str) -> None:
        """Move the sandbox's time: next, hour, day or three-days."""
        answer = await self.http.post("/sandbox/clock", data={"to": to})
        require(answer.status_code == 303, f"the clock answered {answer.status_code}")
