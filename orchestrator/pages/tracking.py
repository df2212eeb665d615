"""The open pixel and followed links. Nothing here earns more than `ambiguous`."""

import base64
from collections.abc import Sequence
from urllib.parse import urlsplit
from uuid import UUID

from fastapi import APIRouter, FastAPI, Request, Response
from starlette.types import Receive, Scope

from orchestrator import clock
from orchestrator.db import transaction
from orchestrator.errors import NotFound
from orchestrator.flows.view_page import view_page
from orchestrator.front import Door
from orchestrator.pages.leads import Leads
from orchestrator.pages.screen import (
    HEADERS,
    PageRoute,
    app_of,
    failure_page,
    notice,
    screen,
    subject_of,
    words_for,
)
from orchestrator.rules.opens import Hit
from orchestrator.rules.page_state import Choice
from orchestrator.rules.redirect import followable
from orchestrator.sightings import Seen, Sightings
from orchestrator.store import pages
from orchestrator.wiring import App

router = APIRouter(route_class=PageRoute, include_in_schema=False)

# One transparent pixel, 43 bytes.
PIXEL = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAICRAEAOw==")
_PIXEL = Response(PIXEL, media_type="image/gif", headers=HEADERS)


@router.api_route("/o/{token}.gif", methods=["GET", "HEAD"])
async def opened(request: Request, token: str) -> Response:
    """The pixel, always and at once: neither answer nor time shows what the token is worth."""
    return open_pixel(app_of(request), sightings_of(request.app), request.scope, token)


def open_pixel(app: App, seen: Sightings, scope: Scope, token: str) -> Response:
    """The same, for the door in front of FastAPI (`orchestrator.front`)."""
    message_id = app.keys.read_token("open", token)
    if message_id is not None:
        seen.note(Seen("open", message_id, message_id, hit_of(scope), _address(scope)))
    return _PIXEL


@router.api_route("/c/{token}", methods=["GET", "HEAD"])
async def clicked(request: Request, token: str) -> Response:
    """Lead to the stored URL and nowhere else. Raises NotFound for anything altered.

    Where a tap of this person would still do something, the way goes over a page that asks for it:
    a click could be a machine's, and theirs is not to be lost. Who is shown what depends on where
    the person stands, never on who asks: a scanner that met another page than people would call it
    a trick.
    """
    app = app_of(request)
    led = await follow(app, leads_of(request.app), sightings_of(request.app), request.scope, token)
    if led is not None:
        return led
    link_id = subject_of(request, "click", token)
    async with transaction(app.engine) as conn:
        link = await pages.link(conn, link_id)
        target = followable(link["url"]) if link else None
        if link is None or target is None:
            raise NotFound("There is no such link.")
        row = await pages.message(conn, link["message_id"])
        assert row is not None  # a link's message, by its foreign key
        now = await clock.database_now(conn)
        page = await view_page(conn, enrollment_id=row["enrollment_id"], now=now)
    _note_click(sightings_of(request.app), request.scope, link_id, link["message_id"])
    if not page.state.offers(Choice.MORE):
        return _redirect(target)
    return screen(
        request,
        "link.html",
        words_for(request, page.language),
        page=page,
        target=target,
        place=urlsplit(target).hostname or target,
        token=app.keys.token("page", row["enrollment_id"]),
    )


async def follow(
    app: App, leads: Leads, seen: Sightings, scope: Scope, token: str
) -> Response | None:
    """The redirect, for who has no use for a tap whatever the sequence says; None for the others,
    who get a page. Raises NotFound."""
    link_id = app.keys.read_token("click", token)
    lead = await leads.of(link_id) if link_id else None
    target = followable(lead.url) if lead else None
    if link_id is None or lead is None or target is None:
        raise NotFound("There is no such link.")
    if lead.may_tap:
        return None
    _note_click(seen, scope, link_id, lead.message_id)
    return _redirect(target)


def _redirect(target: str) -> Response:
    return Response(status_code=302, headers={**HEADERS, "location": target})


def _note_click(seen: Sightings, scope: Scope, link_id: UUID, message_id: UUID) -> None:
    seen.note(Seen("click", link_id, message_id, hit_of(scope), _address(scope)))


@router.api_route("/t/{token}", methods=["GET", "HEAD"])
async def trapped(request: Request, token: str) -> Response:
    """The hidden link of a mail. A person who finds it all the same is shown the way."""
    message_id = subject_of(request, "trap", token)
    app = app_of(request)
    async with transaction(app.engine) as conn:
        row = await pages.message(conn, message_id)
    if row is None:
        raise NotFound("There is no such message.")
    words = words_for(request, row["language"])
    page_token = app.keys.token("page", row["enrollment_id"])
    title, text = words("link.hidden"), words("link.hidden_text")
    response = notice(request, words, title=title, text=text, status=200, token=page_token)
    hit = hit_of(request.scope)
    sightings_of(request.app).note(
        Seen("trap", message_id, message_id, hit, _address(request.scope))
    )
    return response


def note_view(request: Request, enrollment_id: UUID) -> None:
    """Note that somebody looks at the page of an enrollment."""
    scope = request.scope
    seen = Seen("page_view", enrollment_id, enrollment_id, hit_of(scope), _address(scope))
    sightings_of(request.app).note(seen)


def sightings_of(app: FastAPI) -> Sightings:
    """The writer of this process, made when the first hit comes."""
    state = app.state
    if not hasattr(state, "sightings"):
        state.sightings = Sightings(state.avtale)
    made: Sightings = state.sightings
    return made


def leads_of(app: FastAPI) -> Leads:
    """Where links lead, asked for many at once; made when the first click comes."""
    state = app.state
    if not hasattr(state, "leads"):
        state.leads = Leads(state.avtale)
    made: Leads = state.leads
    return made


def doors(app: FastAPI) -> tuple[Door, Door]:
    """The pixel and the redirect in front of FastAPI."""

    async def pixel(scope: Scope, _receive: Receive, parts: Sequence[str]) -> Response:
        token = parts[0].removesuffix(".gif")
        return open_pixel(app.state.avtale, sightings_of(app), scope, token)

    async def redirect(scope: Scope, _receive: Receive, parts: Sequence[str]) -> Response | None:
        return await follow(app.state.avtale, leads_of(app), sightings_of(app), scope, parts[0])

    async def failed(request: Request, error: Exception) -> Response:
        request.scope["app"] = app
        return failure_page(request, error, root="../")

    methods = frozenset({"GET", "HEAD"})
    return (
        Door("o", 1, ".gif", methods, "/o/{token}.gif", pixel, failed),
        Door("c", 1, "", methods, "/c/{token}", redirect, failed),
    )


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return client[0] if client else ""


_PURPOSES = (b"sec-purpose", b"purpose", b"x-moz", b"x-purpose")


def hit_of(scope: Scope) -> Hit:
    """What the request says of itself, cut to a length that is worth keeping."""
    headers: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:
        headers.setdefault(name, value)
    said = b" ".join(headers.get(name, b"") for name in _PURPOSES).strip()
    return Hit(
        method=scope["method"],
        user_agent=headers.get(b"user-agent", b"").decode("latin-1")[:300],
        purpose=said.decode("latin-1")[:100],
        language=bool(headers.get(b"accept-language", b"").strip()),
        mode=headers.get(b"sec-fetch-mode", b"").decode("latin-1")[:20],
        robot_header=b"from" in headers,
    )
