"""Every page of the console."""

from fastapi import APIRouter, Request, Response

from orchestrator.console import (
    account,
    audit,
    claim,
    enter,
    password,
    people,
    person,
    second_factor,
    tasks,
    today,
    users,
)
from orchestrator.console.frame import FILE, HEADERS, OPEN, STATIC, Pages, go
from orchestrator.console.words import FOLDER
from orchestrator.errors import NotFound

_KINDS = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}


def make_router() -> APIRouter:
    """The pages. The application's `state.avtale` is a `wiring.App`."""
    router = Pages()
    inside = (account, today, people, person, tasks, users, audit)
    for part in (enter, claim, password, second_factor, *inside):
        for route in part.router.routes:
            router.routes.append(route)
    for name in STATIC:
        router.page(f"/console/static/{name}", FILE)(_static)
    router.page("/", OPEN)(_home)
    router.page("/console", OPEN)(_home)
    return router


async def _home(request: Request) -> Response:
    """To the page that most visits begin with."""
    return go(request, "console/today")


async def _static(request: Request) -> Response:
    """A file that pages load by a version in its address: it may be kept for long."""
    name = request.url.path.partition("/console/static/")[2]
    path = FOLDER / name
    if name not in STATIC or not path.is_file():
        raise NotFound("There is no such file; `make setup` puts it in place.")
    headers = HEADERS | {"cache-control": "public, max-age=604800"}
    return Response(path.read_bytes(), media_type=_KINDS[path.suffix], headers=headers)
