"""What a source needs from its provider to verify a request: fetched once, kept, and bounded."""

import asyncio
import time
from collections import OrderedDict

import httpx
import structlog

from orchestrator.errors import Unavailable

log = structlog.get_logger()

_MOST = 64 * 1024  # bytes
_KEPT = 64  # answers
_KEEP_SECONDS = 24 * 3600.0
_KEEP_MISSING_SECONDS = 60.0
_SECONDS = 5.0


class Fetcher:
    """GET of https URLs that a source named: no redirects, no cookies, 64 KiB and 5 s at most.

    The URLs are of the provider's own hosts; the source sees to that (`channels.base.Fetching`).
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[str, tuple[float, bytes | None]] = OrderedDict()
        self._lock = asyncio.Lock()

    async def get(self, url: str) -> bytes | None:
        """The body, kept for a day. None: the provider says that there is no such thing. Raises
        Unavailable when it does not answer, so that the request comes again."""
        found = self._fresh(url)
        if found is None:
            async with self._lock:  # one at a time: many requests want the same certificate
                found = self._fresh(url)
                if found is None:
                    found = (await self.fetch(url),)
                    self._keep(url, found[0])
        return found[0]

    async def fetch(self, url: str) -> bytes | None:
        """The same without keeping it."""
        if not url.startswith("https://"):
            return None
        try:
            async with (
                asyncio.timeout(_SECONDS),
                httpx.AsyncClient(follow_redirects=False, timeout=_SECONDS) as client,
                client.stream("GET", url) as answer,
            ):
                if answer.status_code >= 500 or answer.status_code == 429:
                    raise Unavailable("The provider's certificate cannot be had now: send again.")
                if answer.status_code != 200:
                    return None
                body = bytearray()
                async for chunk in answer.aiter_bytes():
                    body += chunk
                    if len(body) > _MOST:
                        return None
                return bytes(body)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, TimeoutError) as error:
            log.warning("hook.fetch_failed", error=type(error).__name__)
            raise Unavailable("The provider's certificate cannot be had now: send again.") from None

    def _fresh(self, url: str) -> tuple[bytes | None] | None:
        until, body = self._kept.get(url, (0.0, None))
        return (body,) if until > time.monotonic() else None

    def _keep(self, url: str, body: bytes | None) -> None:
        seconds = _KEEP_MISSING_SECONDS if body is None else _KEEP_SECONDS
        self._kept[url] = (time.monotonic() + seconds, body)
        self._kept.move_to_end(url)
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
