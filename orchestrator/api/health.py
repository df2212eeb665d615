"""Health for machines: /healthz is this process, /readyz the installation, /metrics its numbers."""

import asyncio
import time
from datetime import UTC
from typing import Any

import structlog
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest
from sqlalchemy.exc import SQLAlchemyError

from orchestrator import migrate
from orchestrator.api.stage_metrics import StageMetrics
from orchestrator.clock import database_now
from orchestrator.db import transaction
from orchestrator.rules import readiness
from orchestrator.store import health as store
from orchestrator.wiring import App

log = structlog.get_logger()

_FRESH = 1.0  # seconds that one look serves everybody who asks
_FRESH_AT_START = 0.05  # the same until a worker lives: whoever starts us waits for it
_PATIENCE = 3.0

router = APIRouter(tags=["health"], include_in_schema=False)


class Watch:
    """One look at the installation at a time, at most one a second, shared by all that ask."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._lock = asyncio.Lock()
        self._at = float("-inf")
        self._pulse: store.Pulse | None = None
        self._trouble: str | None = None
        self.head = migrate.head()

    async def look(self) -> tuple[store.Pulse | None, str | None]:
        """The pulse, or why there is none."""
        async with self._lock:
            starting = self._pulse is not None and not readiness.lives(self._pulse.beat_age)
            if time.monotonic() - self._at > (min(_FRESH, _FRESH_AT_START) if starting else _FRESH):
                await self._look()
                self._at = time.monotonic()
            return self._pulse, self._trouble

    async def _look(self) -> None:
        try:
            async with asyncio.timeout(_PATIENCE), transaction(self._app.engine) as conn:
                self._pulse = await store.pulse(conn, await database_now(conn))
            self._trouble = None
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            log.warning("health.database", error=type(error).__name__)
            self._pulse = None
            self._trouble = f"PostgreSQL does not answer ({type(error).__name__})"

    async def redis(self) -> str | None:
        """Why Redis does not answer within a second, or None."""
        try:
            async with asyncio.timeout(1):
                await self._app.redis.ping()
        except Exception as error:  # noqa: BLE001 - whatever it is, Redis does not answer
            return f"Redis does not answer ({type(error).__name__})"
        return None


class Gauges:
    """The numbers of PostgreSQL as gauges; every process shows the same ones."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def gauge(name: str, about: str, *labels: str) -> Gauge:
            return Gauge(f"avtale_{name}", about, labels, registry=registry)

        self.up = gauge("database_up", "1 when PostgreSQL answers.")
        self.messages = gauge("messages", "Messages that are not settled, by state.", "state")
        self.rows = gauge("table_rows", "Rows, as PostgreSQL estimates them.", "table")
        self.simple = {
            "overdue_seconds": gauge(
                "oldest_overdue_seconds", "How late the oldest message is that could have left."
            ),
            "tasks_open": gauge("tasks_open", "Tasks that wait for a person."),
            "events_unmatched": gauge("events_unmatched", "Provider events that matched nobody."),
            "events_waiting": gauge("events_waiting", "Provider events that are not read yet."),
            "enrollments_due": gauge("enrollments_due", "Enrollments that the planner should see."),
            "beat_age": gauge("worker_heartbeat_seconds", "Age of the newest worker heartbeat."),
            "deaf_workers": gauge(
                "deaf_workers", "Workers that live and that no doorbell has reached for a minute."
            ),
            "canary_age": gauge("doorbell_age_seconds", "Age of the last doorbell through Redis."),
        }
        self.stages = StageMetrics(registry)

    def show(self, pulse: store.Pulse | None) -> None:
        """Set every gauge; what is not known becomes NaN, never an old number."""
        self.up.set(0 if pulse is None else 1)
        self.stages.workers = pulse.stages if pulse else {}
        for state in store.OPEN_STATES:
            self.messages.labels(state).set(pulse.messages[state] if pulse else float("nan"))
        for table, rows in (pulse.rows if pulse else {}).items():
            self.rows.labels(table).set(rows)
        for name, gauge in self.simple.items():
            value: Any = getattr(pulse, name, None)
            gauge.set(float("nan") if value is None else value)


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """This process answers. Looks at nothing else."""
    return {"status": "alive"}


@router.get("/readyz")
async def readyz(request: Request) -> JSONResponse:
    """200 when messages can leave and answers are read; 503 with what is missing when not."""
    watch: Watch = request.app.state.watch
    (pulse, trouble), redis = await asyncio.gather(watch.look(), watch.redis())
    checks = [
        readiness.database(trouble, pulse.migration if pulse else None, watch.head),
        readiness.redis(redis),
    ]
    if pulse is not None:
        checks += [readiness.worker(pulse.beat_age), readiness.overdue(pulse.overdue_seconds)]
        deaf = [(one.worker, one.since.astimezone(UTC), one.seconds) for one in pulse.deaf]
        checks.append(readiness.doorbells(deaf))
    verdict = readiness.verdict(checks)
    body = {
        "status": verdict,
        "checks": {check.name: {"state": check.state, "detail": check.detail} for check in checks},
    }
    return JSONResponse(body, 503 if verdict == "not ready" else 200)


@router.get("/metrics")
async def metrics(request: Request) -> Response:
    """Prometheus text format. Counts only: no id, name or address is a label."""
    pulse, _ = await request.app.state.watch.look()
    request.app.state.gauges.show(pulse)
    return Response(generate_latest(request.app.state.registry), media_type=CONTENT_TYPE_LATEST)
