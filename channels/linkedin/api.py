"""The provider's HTTP: one shared client, no retries, and how far each request came.

Nothing is sent twice from here: a caller that gets `Silence` with `written` cannot know what the
provider did with the request.
"""

import asyncio
import json
import math
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, Literal
from urllib.parse import quote

import httpx

from channels.linkedin.settings import LinkedinSettings

_LONGEST_ANSWER = 8 * 2**20  # bytes, unpacked
_LONGEST_WAIT = 7 * 86400.0  # seconds


@dataclass(frozen=True, slots=True)
class Answer:
    """What the provider said. `body` is None when it was no JSON object."""

    status: int
    body: Mapping[str, Any] | None
    retry_after: float | None = None  # seconds


@dataclass(frozen=True, slots=True)
class Silence:
    """No answer. `written`: the request, or a part of it, may have reached the provider."""

    written: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Request:
    """One request, below the base URL. `segments` are quoted one by one."""

    method: Literal["GET", "POST"]
    segments: tuple[str, ...]
    content: bytes | None = None
    query: Mapping[str, str] = field(default_factory=dict)


class Client:
    """The one client of a process, whatever the number of accounts."""

    def __init__(self) -> None:
        self._made: httpx.AsyncClient | None = None

    def _client(self) -> httpx.AsyncClient:
        if self._made is None:
            # No limit of its own: a slow account must not take the places of the others, and the
            # lanes above say how many are open. The transport's own retries stay off.
            limits = httpx.Limits(
                max_connections=None, max_keepalive_connections=50, keepalive_expiry=5
            )
            self._made = httpx.AsyncClient(
                verify=ssl.create_default_context(),
                limits=limits,
                follow_redirects=False,
                trust_env=False,
            )
        return self._made

    async def call(
        self, settings: LinkedinSettings, api_key: str, request: Request
    ) -> Answer | Silence:
        """Send `request` once. Never raises but for cancellation."""
        url = settings.base_url + "".join(f"/{_quoted(one)}" for one in request.segments)
        headers = {settings.api_header: api_key, "accept": "application/json"}
        if request.content is not None:
            headers["content-type"] = "application/json"
        patience = httpx.Timeout(settings.read_timeout, connect=settings.connect_timeout)
        whole = settings.connect_timeout + 2 * settings.read_timeout
        try:
            # The client's timeouts start anew with every byte: this one does not.
            async with asyncio.timeout(whole):
                return await self._exchange(url, headers, patience, request)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            return Silence(False, f"connect: {type(error).__name__}")
        except (httpx.UnsupportedProtocol, httpx.LocalProtocolError, httpx.InvalidURL) as error:
            return Silence(False, f"request: {type(error).__name__}")
        except (httpx.HTTPError, httpx.StreamError, OSError) as error:
            return Silence(True, f"no answer: {type(error).__name__}")

    async def _exchange(
        self, url: str, headers: dict[str, str], patience: httpx.Timeout, request: Request
    ) -> Answer | Silence:
        async with self._client().stream(
            request.method,
            url,
            headers=headers,
            content=request.content,
            params=dict(request.query) or None,
            timeout=patience,
        ) as response:
            body = bytearray()
            async for piece in response.aiter_bytes():
                body += piece
                if len(body) > _LONGEST_ANSWER:
                    return Silence(True, f"answer of more than {_LONGEST_ANSWER} bytes")
            wait = _seconds(response.headers.get("retry-after"), response.headers.get("date"))
            return Answer(response.status_code, _read(bytes(body)), wait)

    async def close(self) -> None:
        """Drop every connection."""
        if self._made is not None:
            await self._made.aclose()
            self._made = None


def _quoted(segment: str) -> str:
    """One segment of a path, which never climbs out of its place."""
    made = quote(segment, safe="")
    return made.replace(".", "%2E") if set(segment) <= {"."} else made


def _read(body: bytes) -> Mapping[str, Any] | None:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if isinstance(found, list):
        return {"items": found}
    return found if isinstance(found, dict) else None


def _seconds(given: str | None, date: str | None) -> float | None:
    """Retry-After (RFC 9110 10.2.3), a date of which is read against the answer's own Date."""
    if given is None:
        return None
    try:
        found = float(given)
    except ValueError:
        try:
            found = (
                parsedate_to_datetime(given) - parsedate_to_datetime(date or "")
            ).total_seconds()
        except (ValueError, TypeError):
            return None
    return min(max(found, 0.0), _LONGEST_WAIT) if math.isfinite(found) else None
