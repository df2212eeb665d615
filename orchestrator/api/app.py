"""`create_app()`: the JSON API, the prospects' pages, health and metrics in one application."""

import importlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import structlog
from fastapi import FastAPI
from fastapi.routing import APIRoute
from prometheus_client import CollectorRegistry
from starlette.types import Receive, Scope, Send

from orchestrator import logs, migrate
from orchestrator.api import health, hooks, mail_in, problems, reference
from orchestrator.api.limits import BodyLimit
from orchestrator.api.notes import Notes
from orchestrator.api.observe import Observe, latency, request_id_of
from orchestrator.api.routes import ROUTERS
from orchestrator.config import Settings, get_settings
from orchestrator.db import check_server
from orchestrator.endpoints import find_servers
from orchestrator.errors import SetupError, Unavailable
from orchestrator.front import Front
from orchestrator.wiring import open_app

log = structlog.get_logger()


class Api(FastAPI):
    """FastAPI behind the doors of `front`."""

    front: Front | None = None

    async def behind(self, scope: Scope, receive: Receive, send: Send) -> None:
        """FastAPI itself."""
        await super().__call__(scope, receive, send)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        await (self.front or self.behind)(scope, receive, send)


def _lifespan(settings: Settings) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def running(api: FastAPI) -> AsyncIterator[None]:
        async with open_app(settings) as opened:
            try:
                await check_server(opened.engine, head=migrate.head())
            except (OSError, TimeoutError) as error:
                raise Unavailable(
                    f"PostgreSQL does not answer ({type(error).__name__}): is it running, and is "
                    "AVTALE_DATABASE_URL right?"
                ) from None
            except SetupError as error:
                log.error("api.refused", reason=error.message)
                raise
            api.state.avtale = opened
            api.state.watch = health.Watch(opened)
            log.info("api.started", sandbox=settings.sandbox)
            yield
            if hasattr(api.state, "sightings"):
                await api.state.sightings.flush()
            log.info("api.stopped")

    return running


def _operation_id(route: APIRoute) -> str:
    """The function's own name: stable as long as nobody renames it."""
    return route.name


def create_app(settings: Settings | None = None) -> FastAPI:
    """Build the application. Without `settings`: the environment, or a running `avtale up`.

    Starting it (lifespan) raises SetupError when the database is too old or not migrated.
    """
    if settings is None:
        settings = find_servers(get_settings())
        logs.configure(level=settings.log_level, as_json=settings.log_json)
    api = Api(
        title="Avtale",
        version=reference.API_VERSION,
        summary="Sequences that reach people where they read, and a call only after they engaged.",
        description=reference.ABOUT,
        openapi_tags=reference.TAGS,
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan(settings),
        generate_unique_id_function=_operation_id,
        redirect_slashes=False,
    )
    registry = CollectorRegistry()
    api.state.registry = registry
    api.state.gauges = health.Gauges(registry)
    problems.install(api)
    for router in ROUTERS:
        api.include_router(router, responses=problems.responses(400, 401, 403, 413, 422, 503))
    api.include_router(health.router)
    api.include_router(reference.router)
    _mount_others(api, settings)
    api.add_middleware(BodyLimit)
    notes = Notes(latency(registry))
    api.add_middleware(Observe, notes=notes)
    tracking = importlib.import_module("orchestrator.pages.tracking")
    api.front = Front(api.behind, [hooks.door(api), *tracking.doors(api)], notes, request_id_of)
    reference.complete(api)
    return api


def _mount_others(api: FastAPI, settings: Settings) -> None:
    """The doors that other areas own. The pages and the sandbox are neighbours that know nothing of
    the API (import-linter), so they are found by name."""
    api.include_router(mail_in.router)
    api.include_router(hooks.router)
    api.include_router(importlib.import_module("orchestrator.pages.router").make_router())
    api.include_router(importlib.import_module("orchestrator.console.router").make_router())
    if settings.sandbox:
        for router in importlib.import_module("orchestrator.sandbox.mount").ROUTERS:
            api.include_router(router)
