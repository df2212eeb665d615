"""Everything that the world may reach without a key."""

from fastapi import APIRouter, Request, Response

from orchestrator.pages import booked_page, person_page, times_page, tracking, unsubscribe
from orchestrator.pages.screen import HEADERS
from orchestrator.pages.words import FOLDER

_STATIC = {"pages.css": "text/css; charset=utf-8", "mark.svg": "image/svg+xml"}


def make_router() -> APIRouter:
    """The pages and tracking routes. The application's `state.avtale` is a `wiring.App`."""
    router = APIRouter(include_in_schema=False)
    for part in (person_page, times_page, booked_page, unsubscribe, tracking):
        router.include_router(part.router)
    for name in _STATIC:
        router.add_api_route(f"/static/{name}", _static, methods=["GET", "HEAD"], name=name)
    return router


def _static(request: Request) -> Response:
    """A file that the pages link to, by a version in its address: it may be kept for long."""
    name = request.url.path.rpartition("/")[2]
    headers = HEADERS | {"cache-control": "public, max-age=604800"}
    return Response((FOLDER / name).read_bytes(), media_type=_STATIC[name], headers=headers)
