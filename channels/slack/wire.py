"""Calls of Slack's Web API: slack-sdk over one session of ours, each call made once.

slack-sdk posts again by itself after a dropped connection unless told not to, and aiohttp does so
for GET: every call here is a POST, with `retry_handlers=[]`.
"""

import asyncio
import logging
import math
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, Literal

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from channels.base import Account
from channels.slack.classify import Answer, Silence
from channels.slack.settings import SlackSettings

# The SDK builds its debug lines, with what is said to whom, whenever its logger lets it.
_QUIET = logging.getLogger("channels.slack.sdk")
_QUIET.setLevel(logging.WARNING)
_CONNECT_SECONDS = 10.0
_LONGEST_WAIT = 86_400.0


class _Redirected(Exception):
    """A post must not go on to where nobody meant it to go."""


async def _refuse_redirect(
    session: aiohttp.ClientSession,
    context: SimpleNamespace,
    params: aiohttp.TraceRequestRedirectParams,
) -> None:
    raise _Redirected(params.response.status)


class Wire:
    """One HTTP session for every account; connections are kept, cookies are not."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def _open(self) -> aiohttp.ClientSession:
        loop = asyncio.get_running_loop()
        if self._session is None or self._session.closed or self._loop is not loop:
            trace = aiohttp.TraceConfig()
            trace.on_request_redirect.append(_refuse_redirect)
            self._session = aiohttp.ClientSession(
                # No limit: every lane talks to the same host, and a slow one would hold the others.
                connector=aiohttp.TCPConnector(limit=0),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS),
                trace_configs=[trace],
            )
            self._loop = loop
        return self._session

    async def call(
        self,
        account: Account,
        settings: SlackSettings,
        method: str,
        *,
        form: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Answer | Silence:
        """One POST of `form`, or of `body` as JSON. Never raises for what the provider does."""
        client = AsyncWebClient(
            token=account.secrets.get("bot_token"),
            base_url=settings.base_url,
            session=self._open(),
            retry_handlers=[],
            logger=_QUIET,
        )
        if settings.is_local:
            client.proxy = None  # the SDK heeds HTTPS_PROXY, but no exceptions from it
        try:
            async with asyncio.timeout(settings.timeout):
                response = await client.api_call(
                    method,
                    data=None if form is None else dict(form),
                    json=None if body is None else dict(body),
                )
        except SlackApiError as error:
            return _refusal(error.response)
        except _Redirected as error:
            return Answer(int(error.args[0]), ok=False)
        except Exception as error:  # noqa: BLE001 - whatever it is, the call ended without an answer
            return Silence(_kind(error), type(error).__name__)
        return _answer(response)

    async def close(self) -> None:
        """Drop every connection."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()


def _kind(error: Exception) -> Literal["connect", "timeout", "dropped", "unreadable"]:
    # The first three are raised only while there is no connection to write to.
    if isinstance(
        error,
        aiohttp.ClientConnectorError
        | aiohttp.ConnectionTimeoutError
        | aiohttp.ClientHttpProxyError
        | aiohttp.InvalidURL,
    ):
        return "connect"
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, aiohttp.ClientConnectionError | aiohttp.ClientPayloadError | OSError):
        return "dropped"
    return "unreadable"


def _refusal(response: object) -> Answer | Silence:
    """The SDK hangs its own response on the error, or aiohttp's when the body was no JSON."""
    if isinstance(response, AsyncSlackResponse):
        return _answer(response)
    status = getattr(response, "status", 200)
    if isinstance(status, int) and status >= 300:
        headers = getattr(response, "headers", {})
        return Answer(status, ok=False, retry_after=_seconds(headers.get("Retry-After")))
    return Silence("unreadable", "the answer is no JSON")


def _answer(response: AsyncSlackResponse) -> Answer:
    data = response.data if isinstance(response.data, dict) else {}
    error = data.get("error")
    scopes = response.headers.get("X-OAuth-Scopes")
    return Answer(
        response.status_code,
        ok=response.status_code == 200 and data.get("ok") is True,
        error=error[:100] if isinstance(error, str) else "",
        data=data,
        retry_after=_seconds(response.headers.get("Retry-After")),
        scopes=None if scopes is None else frozenset(each.strip() for each in scopes.split(",")),
    )


def _seconds(value: str | None) -> float | None:
    """Retry-After in seconds; None for what is no sensible number."""
    try:
        seconds = float(value or "")
    except ValueError:
        return None
    return min(seconds, _LONGEST_WAIT) if math.isfinite(seconds) and seconds >= 0 else None
