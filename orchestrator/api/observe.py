"""What every request leaves behind: a request id, one log line, one observation."""

import re
import time

import structlog
from prometheus_client import CollectorRegistry, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orchestrator import acting
from orchestrator.api.notes import Notes
from orchestrator.ids import uuid7

_GIVEN = re.compile(rb"^[A-Za-z0-9_-]{8,64}$")
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


def latency(registry: CollectorRegistry) -> Histogram:
    """The histogram of answers, by route template: no id ever becomes a label."""
    return Histogram(
        "avtale_http_seconds",
        "Seconds until a request was answered.",
        ("method", "route", "status"),
        registry=registry,
        buckets=_BUCKETS,
    )


class Observe:
    """ASGI middleware around everything else."""

    def __init__(self, app: ASGIApp, notes: Notes) -> None:
        self.app = app
        self._notes = notes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Time the request and tell about it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = request_id_of(scope)
        status = 500
        started = time.perf_counter()

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message.get("headers", ()),
                    (b"x-request-id", request_id.encode()),
                    (b"x-content-type-options", b"nosniff"),
                ]
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id), acting.nobody():
            try:
                await self.app(scope, receive, noting)
            finally:
                seconds = time.perf_counter() - started
                self._notes.note(scope["method"], _template(scope), status, seconds, request_id)


def _template(scope: Scope) -> str:
    """`/api/prospects/{prospect_id}`, or one word for what matched no route."""
    path = getattr(scope.get("route"), "path", None)
    return path if isinstance(path, str) else "unmatched"


def request_id_of(scope: Scope) -> str:
    """The id that the caller gave, where it looks like one, or a new one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _GIVEN.match(value):
            return str(value.decode())
    return uuid7().hex
