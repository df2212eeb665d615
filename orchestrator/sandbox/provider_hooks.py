"""How the sandbox's providers tell Avtale what happened: signed, and late or double on demand."""

import asyncio
import hashlib
import hmac
import json
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import httpx
import structlog
from pydantic import BaseModel, Field

from orchestrator.clock import utc_now
from orchestrator.config import Settings

log = structlog.get_logger()

Headers = Mapping[str, str]
Sign = Callable[[bytes], Headers]  # asked anew at each attempt: timestamps grow stale
_RETRIES = (0.5, 2.0, 8.0)  # seconds before each further attempt; in life minutes and hours
_PATIENCE = 8.0  # seconds that a pressed button waits for the first attempt


class Manner(BaseModel):
    """How webhooks leave from now on. `hold` keeps them back until they are let go."""

    delay: float = Field(0, ge=0, le=3600)  # seconds
    copies: int = Field(1, ge=0, le=20)  # 0: lost on the way
    hold: bool = False


@dataclass(frozen=True)
class Webhook:
    """One request to Avtale."""

    source: str
    sender: str
    body: bytes
    content_type: str
    sign: Sign = field(repr=False)


@dataclass
class Hooks:
    """The webhooks of one provider. `log` has the newest attempts: (kind, status or error)."""

    settings: Settings
    manner: Manner = field(default_factory=Manner)
    log: deque[tuple[str, str]] = field(default_factory=lambda: deque(maxlen=200))
    held: list[Webhook] = field(default_factory=list)
    client: httpx.AsyncClient | None = None
    _running: set[asyncio.Task[None]] = field(default_factory=set)

    async def send(self, webhook: Webhook) -> None:
        """Send it in the manner of now; returns after the first attempt, or after a while."""
        if self.manner.hold:
            self.held.append(webhook)
            return
        tasks = [self._start(webhook) for _ in range(self.manner.copies)]
        if tasks and not self.manner.delay:
            await asyncio.wait(tasks, timeout=_PATIENCE)

    def later(self, webhook: Webhook) -> None:
        """The same, without waiting."""
        if self.manner.hold:
            self.held.append(webhook)
            return
        for _ in range(self.manner.copies):
            self._start(webhook)

    def release(self) -> int:
        """Let go what was held; returns how many."""
        self.manner.hold = False
        waiting, self.held = self.held, []
        for webhook in waiting:
            self.later(webhook)
        return len(waiting)

    def _start(self, webhook: Webhook) -> asyncio.Task[None]:
        task = asyncio.create_task(self._deliver(webhook, self.manner.delay))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def _deliver(self, webhook: Webhook, delay: float) -> None:
        await asyncio.sleep(delay)
        for pause in (*_RETRIES, None):
            said = await self._attempt(webhook)
            self.log.append((webhook.source, said))
            if said.startswith("2") or pause is None:
                return
            log.warning("sandbox.webhook", source=webhook.source, said=said)
            await asyncio.sleep(pause)

    async def _attempt(self, webhook: Webhook) -> str:
        if self.client is None:
            self.client = httpx.AsyncClient(timeout=10, trust_env=False)
        host = "127.0.0.1" if self.settings.host in ("0.0.0.0", "::") else self.settings.host  # noqa: S104 - read
        path = f"/hooks/{webhook.source}/{quote(webhook.sender, safe='')}"
        headers = {**webhook.sign(webhook.body), "content-type": webhook.content_type}
        try:
            answer = await self.client.post(
                f"http://{host}:{self.settings.port}{path}", content=webhook.body, headers=headers
            )
        except httpx.HTTPError as error:
            return type(error).__name__
        return f"{answer.status_code} {answer.text[:200]}".strip()


def json_body(value: Any) -> bytes:
    """What a provider writes: compact, not ASCII only."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def slack_signature(secret: str) -> Sign:
    """`v0=` HMAC-SHA256 over version, timestamp and raw body, as Slack documents it."""

    def sign(body: bytes) -> Headers:
        at = int(utc_now().timestamp())
        mac = hmac.digest(secret.encode(), f"v0:{at}:".encode() + body, hashlib.sha256).hex()
        return {"x-slack-request-timestamp": str(at), "x-slack-signature": f"v0={mac}"}

    return sign


def unipile_signature(secret: str) -> Sign:
    """`t=<seconds>,v0=<hex>`: HMAC-SHA256 over `<t>.<raw body>`."""

    def sign(body: bytes) -> Headers:
        at = int(utc_now().timestamp())
        mac = hmac.digest(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hex()
        return {"unipile-signature": f"t={at},v0={mac}"}

    return sign
