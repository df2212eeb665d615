"""What every request leaves behind: a request id, one log line, one observation."""

import re
import time

import structlog
from prometheus_client import CollectorRegistry, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orchestrator.ids import uuid7

log = structlog.get_logger("avtale.access")

_GIVEN = re.compile(rb"^[A-Za-z0-9_-]{8,64}$")
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_QUIET = frozenset({"/healthz", "/readyz", "/metrics"})


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

    def __init__(self, app: ASGIApp, histogram: Histogram) -> None:
        self.app = app
        self.histogram = histogram

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Time the request and tell about it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = _request_id(scope)
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

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self.app(scope, receive, noting)
            finally:
                self._note(scope, status, time.perf_counter() - started)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        route = _template(scope)
        method = scope["method"] if scope["method"] in _METHODS else "OTHER"
        self.histogram.labels(method, route, str(status)).observe(seconds)
        tell = log.debug if route in _QUIET else log.info
        tell("http", method=method, route=route, status=status, ms=round(seconds * 1000, 1))


_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})


def _template(scope: Scope) -> str:
    """`/api/prospects/{prospect_id}`, or one word for what matched no route."""
    path = getattr(scope.get("route"), "path", None)
    return path if isinstance(path, str) else "unmatched"


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _GIVEN.match(value):
            return str(value.decode())
    return uuid7().hex
