"""The open pixel and followed links. Nothing here earns more than `ambiguous`."""

import base64
from urllib.parse import urlsplit
from uuid import UUID

import structlog
from fastapi import APIRouter, Request, Response
from sqlalchemy.exc import SQLAlchemyError
from starlette.background import BackgroundTask

from orchestrator import clock
from orchestrator.db import transaction
from orchestrator.errors import AvtaleError, NotFound
from orchestrator.flows.note_seen import note_seen
from orchestrator.flows.view_page import view_page
from orchestrator.pages.screen import PageRoute, app_of, notice, screen, subject_of, words_for
from orchestrator.rules.networks import neighbourhood
from orchestrator.rules.opens import Hit, Kind
from orchestrator.rules.page_state import Choice
from orchestrator.rules.redirect import followable
from orchestrator.store import pages

router = APIRouter(route_class=PageRoute, include_in_schema=False)
log = structlog.get_logger()

# One transparent pixel, 43 bytes.
PIXEL = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAICRAEAOw==")


@router.api_route("/o/{token}.gif", methods=["GET", "HEAD"])
async def opened(request: Request, token: str) -> Response:
    """The pixel, always and at once: neither answer nor time shows what the token is worth."""
    message_id = app_of(request).keys.read_token("open", token)
    background = None
    if message_id is not None:
        background = BackgroundTask(note, request, kind="open", subject=message_id)
    return Response(PIXEL, media_type="image/gif", background=background)


@router.api_route("/c/{token}", methods=["GET", "HEAD"])
async def clicked(request: Request, token: str) -> Response:
    """Lead to the stored URL and nowhere else. Raises NotFound for anything altered.

    Where a tap of this person would still do something, the way goes over a page that asks for it:
    a click could be a machine's, and theirs is not to be lost. Who is shown what depends on where
    the person stands, never on who asks: a scanner that met another page than people would call it
    a trick.
    """
    link_id = subject_of(request, "click", token)
    app = app_of(request)
    async with transaction(app.engine) as conn:
        link = await pages.link(conn, link_id)
        target = followable(link["url"]) if link else None
        if link is None or target is None:
            raise NotFound("There is no such link.")
        row = await pages.message(conn, link["message_id"])
        assert row is not None  # a link's message, by its foreign key
        now = await clock.database_now(conn)
        page = await view_page(conn, enrollment_id=row["enrollment_id"], now=now)
    response = Response(status_code=302, headers={"location": target})
    if page.state.offers(Choice.MORE):
        response = screen(
            request,
            "link.html",
            words_for(request, page.language),
            page=page,
            target=target,
            place=urlsplit(target).hostname or target,
            token=app.keys.token("page", row["enrollment_id"]),
        )
    response.background = BackgroundTask(note, request, kind="click", subject=link_id)
    return response


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
    response.background = BackgroundTask(note, request, kind="trap", subject=message_id)
    return response


async def note(request: Request, *, kind: Kind, subject: UUID) -> None:
    """Note what was seen, after the answer has left. A failure costs a note and nothing else."""
    app = app_of(request)
    address = request.client.host if request.client else ""
    try:
        async with transaction(app.engine) as conn:
            now = await clock.database_now(conn)
            lists = await app.networks.current(conn)
            hit = hit_of(request, lists.kinds(address))
            verdict = await note_seen(
                *(conn, app.keys),
                kind=kind,
                subject=subject,
                hit=hit,
                place=neighbourhood(address),
                now=now,
            )
    except (AvtaleError, SQLAlchemyError, OSError) as error:
        log.warning("seen.lost", kind=kind, subject=str(subject), error=type(error).__name__)
        return
    if verdict is not None:
        log.info("seen", kind=kind, subject=str(subject), grade=verdict.grade)


def hit_of(request: Request, networks: frozenset[str]) -> Hit:
    """What the request says of itself, cut to a length that is worth keeping."""
    headers = request.headers
    said = (headers.get(name, "") for name in ("sec-purpose", "purpose", "x-moz", "x-purpose"))
    return Hit(
        method=request.method,
        user_agent=headers.get("user-agent", "")[:300],
        purpose=" ".join(said).strip()[:100],
        language=bool(headers.get("accept-language", "").strip()),
        mode=headers.get("sec-fetch-mode", "")[:20],
        robot_header="from" in headers,
        networks=networks,
    )
