"""One page on the screen: templates, the headers that every answer carries, and error pages."""

from collections.abc import Callable, Coroutine
from functools import lru_cache
from hashlib import sha256
from typing import Any
from uuid import UUID

import structlog
from fastapi import Request, Response
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from sqlalchemy.exc import SQLAlchemyError

from orchestrator.errors import AvtaleError, NotFound, Unavailable
from orchestrator.keys import Purpose
from orchestrator.pages import limits
from orchestrator.pages.words import FOLDER, Words, choose_language, words_in
from orchestrator.rules.reflow import reflow
from orchestrator.wiring import App

log = structlog.get_logger()

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self';"
        " frame-ancestors 'none'; base-uri 'none'"
    ),
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "x-robots-tag": "noindex, nofollow",
    "x-content-type-options": "nosniff",
}
_ERRORS = {
    404: "error.not_found",
    413: "error.too_large",
    429: "error.too_many",
    503: "error.unavailable",
}

_ENVIRONMENT = Environment(
    loader=FileSystemLoader(FOLDER),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)

_ENVIRONMENT.filters["reflow"] = reflow

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class PageRoute(APIRoute):
    """A route whose failures are pages, whose answers carry HEADERS, and whose POSTs are few."""

    def get_route_handler(self) -> Handler:
        """Wrap the handler that FastAPI makes."""
        handle = super().get_route_handler()
        # Links are relative, so that a proxy may serve us under any path.
        root = "../" * (self.path.count("/") - 1) or "./"

        async def answer(request: Request) -> Response:
            request.state.root = root
            try:
                if request.method == "POST":
                    limits.POSTS.take(request.path_params.get("token", ""))
                response = await handle(request)
            except (AvtaleError, SQLAlchemyError, OSError) as error:
                response = failure_page(request, error, root=root)
            for name, value in HEADERS.items():
                response.headers.setdefault(name, value)
            return response

        return answer


def app_of(request: Request) -> App:
    """The parts of this process."""
    app: App = request.app.state.avtale
    return app


def subject_of(request: Request, purpose: Purpose, token: str) -> UUID:
    """What `token` is about. Raises NotFound, the same for every way of being wrong."""
    subject = app_of(request).keys.read_token(purpose, token)
    if subject is None:
        raise NotFound("There is no such page.")
    return subject


def words_for(request: Request, language: str | None) -> Words:
    """The words that this prospect reads."""
    return words_in(choose_language(language, request.headers.get("accept-language")))


def screen(
    request: Request, template: str, words: Words, *, status: int = 200, **values: Any
) -> HTMLResponse:
    """Render a page."""
    content = _ENVIRONMENT.get_template(template).render(
        w=words,
        root=request.state.root,
        organisation=app_of(request).settings.organisation,
        css=css_version(),
        **values,
    )
    return HTMLResponse(content, status)


def notice(
    request: Request, words: Words, *, title: str, text: str, status: int, token: str | None = None
) -> HTMLResponse:
    """A page that says one thing; with `token`, it leads back to the prospect's own page."""
    return screen(request, "notice.html", words, status=status, title=title, text=text, token=token)


def failure_page(request: Request, error: Exception, *, root: str) -> Response:
    """The page of a failure, `root` being the way to the top. Raises what nobody expected."""
    request.state.root = root
    if isinstance(error, SQLAlchemyError | OSError):
        log.warning("page.unavailable", error=type(error).__name__)
        error = Unavailable("The database does not answer.")
    if not isinstance(error, AvtaleError):
        raise error
    response = error_page(request, error)
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def error_page(request: Request, error: AvtaleError) -> Response:
    """What a person sees of a failure; the status is for machines."""
    words = words_for(request, None)
    key = _ERRORS.get(error.status_code, "error.conflict")
    response = notice(
        request, words, title=words(key), text=words(key + "_text"), status=error.status_code
    )
    if error.status_code in (429, 503):
        response.headers["retry-after"] = "60"
    return response


@lru_cache(maxsize=1)
def css_version() -> str:
    """A name for this version of the stylesheet, so that it may be cached."""
    return sha256((FOLDER / "pages.css").read_bytes()).hexdigest()[:12]
