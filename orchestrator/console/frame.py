"""What every page of the console goes through: who may see it, headers, errors, rendering."""

from collections.abc import Callable, Coroutine
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from typing import Any
from urllib.parse import quote
from uuid import UUID

import structlog
from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from sqlalchemy.exc import SQLAlchemyError

from orchestrator import acting
from orchestrator.acting import Actor
from orchestrator.console import visit as visits
from orchestrator.console.visit import Visit
from orchestrator.console.words import FOLDER, words_for
from orchestrator.db import transaction
from orchestrator.errors import AvtaleError, Forbidden, NotFound, Unavailable
from orchestrator.flows.find_session import Session
from orchestrator.pages.forms import read_form
from orchestrator.rules.access import Reach, reach_of
from orchestrator.rules.terminal import visible
from orchestrator.store import ownership
from orchestrator.wiring import App

log = structlog.get_logger()

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
        " connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    # Not "no-referrer": with it browsers send `Origin: null` from our own forms, too.
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
    "x-robots-tag": "noindex, nofollow",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
# Who gets to a page: anybody, somebody whose second factor is still to come, or a role's action.
# A file is the same for everybody, and nobody is asked for.
OPEN, HALF, FILE = "open", "half", "file"
STATIC = ("console.css", "console.js", "vendor/htmx.min.js")
_ERRORS = {403: "forbidden", 404: "not_found", 413: "too_large", 429: "too_many", 503: "away"}

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
Endpoint = Callable[..., Coroutine[Any, Any, Response]]


class ConsoleRoute(APIRoute):
    """A route with a declared access, whose answers carry HEADERS and whose failures are pages."""

    @property
    def access(self) -> str:
        """Who gets here. Raises KeyError for a route that does not say."""
        declared: str = (self.openapi_extra or {})["access"]
        return declared

    @property
    def scoped(self) -> bool:
        """Whether the page promises to show only what `acting.only_own()` says."""
        return bool((self.openapi_extra or {}).get("scoped"))

    def get_route_handler(self) -> Handler:
        """Wrap the handler that FastAPI makes."""
        handle, access = super().get_route_handler(), self.access
        # Links are relative, so that a proxy may serve us under any path.
        root = "../" * (self.path.count("/") - 1) or "./"

        async def answer(request: Request) -> Response:
            request.state.root = root
            app = app_of(request)
            request.state.visit = _visit(app, request, "", None)
            try:
                response = await _admitted(request, app, access) or await handle(request)
            except AvtaleError as error:
                response = error_page(request, error)
            except (SQLAlchemyError, OSError) as error:
                log.warning("console.unavailable", error=type(error).__name__)
                response = error_page(request, Unavailable("The database does not answer."))
            for name, value in HEADERS.items():
                response.headers.setdefault(name, value)
            if request.state.visit.said and response.status_code == 200:
                response.delete_cookie(visits.said_name(app.settings))
            return response

        return answer


async def _admitted(request: Request, app: App, access: str) -> Response | None:
    """None for whoever may be here, with `visit` known and acting; else where to go first.

    Raises Forbidden.
    """
    if access == FILE:
        return None
    posts = request.method == "POST"
    if posts:
        visits.require_same_origin(request, app.settings)
        request.state.form = await read_form(request)
    token, session = await visits.session_of(request, app)
    visit = request.state.visit = _visit(app, request, token, session)
    if access == OPEN:
        return None
    if session is None or (access == HALF) == session.whole:
        return _elsewhere(request, session is not None)
    if posts:
        visits.require_form_token(visit, request.state.form.pop(visits.FIELD, ""))
    reach = Reach.ALL if access == HALF else reach_of(session.role, access)
    if reach is Reach.NONE:
        raise Forbidden("Your role does not reach this.")
    route = request.scope.get("route")
    acting.become(
        Actor(
            "user",
            session.user_id,
            session.email,
            getattr(route, "name", "console"),
            subject=_subject(request),
            changes=posts,
            owner=session.user_id if reach is Reach.OWN else None,
        )
    )
    if reach is Reach.OWN and not (isinstance(route, ConsoleRoute) and route.scoped):
        await _require_own(request, app, session.user_id)
    return None


def _subject(request: Request) -> tuple[str, str] | None:
    """What the address names: `("prospect", id)`."""
    for name, value in request.path_params.items():
        if name.endswith("_id"):
            return name.removesuffix("_id"), str(value)[:200]
    return None


async def _require_own(request: Request, app: App, user_id: UUID) -> None:
    """Raise Forbidden where the address names nothing of a person, and NotFound where that is
    somebody else's: whether it exists is not told either."""
    named = [name for name in request.path_params if name in ownership.OF_PARAMETERS]
    if not named:
        raise Forbidden("This is about everybody's people, and you reach only your own.")
    for name in named:
        try:
            value = UUID(str(request.path_params[name]))
        except ValueError:
            raise NotFound("There is no such thing.") from None
        async with transaction(app.engine) as conn:
            if not await ownership.is_own(conn, name, value, user_id):
                raise NotFound("There is no such thing.")


def _visit(app: App, request: Request, token: str, session: Session | None) -> Visit:
    return Visit(
        token=token,
        session=session,
        words=words_for(
            session.language if session else None, request.headers.get("accept-language")
        ),
        form_token=visits.form_token(app, session),
        said=visits.heard(request, app.settings),
    )


def _elsewhere(request: Request, known: bool) -> Response:
    """To the sign-in page, to the question for a code, or home for those who answered it."""
    visit = visit_of(request)
    if known and visit.session is not None:
        target = "console/today" if visit.session.whole else "console/code"
    else:
        here = request.url.path[request.url.path.find("console/") :]
        here += f"?{request.url.query}" if request.url.query else ""
        back = here if request.method == "GET" and here != "console/today" else ""
        target = "console/sign-in" + (f"?next={quote(back)}" if back else "")
    return go(request, target)


def go(request: Request, target: str) -> Response:
    """To another page, `target` from the root of the site; htmx loads it whole."""
    address = request.state.root + target
    if request.headers.get("hx-request") == "true":
        return Response(status_code=204, headers={"hx-redirect": address})
    return RedirectResponse(address, 303)


class Pages(APIRouter):
    """A router on which no page is without an access."""

    def __init__(self) -> None:
        super().__init__(route_class=ConsoleRoute, include_in_schema=False)

    def page(
        self, path: str, access: str, *, scoped: bool = False
    ) -> Callable[[Endpoint], Endpoint]:
        """A page that is read. Whoever reaches only their own people gets to one whose address
        names something of one of them, and to one that is `scoped`: it shows only those."""
        extra = {"access": access, "scoped": scoped}
        return self.api_route(path, methods=["GET", "HEAD"], openapi_extra=extra)

    def form(self, path: str, access: str) -> Callable[[Endpoint], Endpoint]:
        """A form that is sent; its fields are in `form_of(request)`, checked and without token."""
        return self.api_route(path, methods=["POST"], openapi_extra={"access": access})


_ENVIRONMENT = Environment(
    loader=FileSystemLoader(FOLDER),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def app_of(request: Request) -> App:
    """The parts of this process."""
    app: App = request.app.state.avtale
    return app


def visit_of(request: Request) -> Visit:
    """Who visits."""
    found: Visit = request.state.visit
    return found


def session_of(request: Request) -> Session:
    """The session of a page that needs one."""
    session = visit_of(request).session
    assert session is not None  # _admitted let nobody else in
    return session


def form_of(request: Request) -> dict[str, str]:
    """The fields that were sent."""
    found: dict[str, str] = request.state.form
    return found


def render(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """A page, or a part of one for htmx."""
    visit = visit_of(request)
    settings = app_of(request).settings
    content = _ENVIRONMENT.get_template(template).render(
        w=visit.words,
        visit=visit,
        root=request.state.root,
        here=request.url.path[request.url.path.find("console/") :],
        organisation=settings.organisation,
        theme=visit.session.theme if visit.session else "auto",
        versions=versions(),
        said=visit.said if f"said.{visit.said}" in visit.words.texts else "",
        moment=moment,
        shown=visible,
        **values,
    )
    return HTMLResponse(content, status)


def moment(at: datetime) -> str:
    """An instant as every table has it, in UTC until pages know better: `2026-11-24 09:30`."""
    return f"{at:%Y-%m-%d %H:%M}"


def faults_of(error: AvtaleError) -> dict[str, str]:
    """The field at fault and the key of the words that say what is wrong with it."""
    return {str(error.extra.get("field", "form")): str(error.extra.get("fault", "other"))}


def error_page(request: Request, error: AvtaleError) -> Response:
    """What a person sees of a failure; the status is for machines."""
    key = _ERRORS.get(error.status_code, "other")
    response = render(request, "error.html", status=error.status_code, key=key)
    if error.status_code in (429, 503):
        response.headers["retry-after"] = str(error.extra.get("retry_after", 30))
    return response


@lru_cache(maxsize=1)
def versions() -> dict[str, str]:
    """A name for the version of each file that pages load, so that it may be cached; "" for one
    that is not there: the pages work without scripts."""
    return {
        name: sha256(path.read_bytes()).hexdigest()[:12] if path.is_file() else ""
        for name in STATIC
        if (path := FOLDER / name)
    }
