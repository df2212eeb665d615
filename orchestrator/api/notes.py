"""What every answered request leaves behind: one observation and one line of the log."""

import structlog
from prometheus_client import Histogram

from orchestrator import logs

log = structlog.get_logger("avtale.access")

_QUIET = frozenset({"/healthz", "/readyz", "/metrics"})
_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})


class Notes:
    """The notes of one application. No id becomes a label, and no word of a caller a value."""

    def __init__(self, histogram: Histogram) -> None:
        self._histogram = histogram
        self._known: dict[tuple[str, str, int], Histogram] = {}

    def note(self, method: str, route: str, status: int, seconds: float, request_id: str) -> None:
        """A request to `route` (its template) was answered."""
        method = method if method in _METHODS else "OTHER"
        key = (method, route, status)
        child = self._known.get(key)
        if child is None:
            child = self._known[key] = self._histogram.labels(method, route, str(status))
        child.observe(seconds)
        ms = round(seconds * 1000, 1)
        if route in _QUIET:
            log.debug("http", method=method, route=route, status=status, ms=ms)
        elif not logs.access_line(method, route, status, ms, request_id):
            log.info(
                "http", method=method, route=route, status=status, ms=ms, request_id=request_id
            )
