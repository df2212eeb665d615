"""The open pixel and followed links. Nothing here earns more than `ambiguous`."""

import base64
from uuid import UUID

import structlog
from fastapi import APIRouter, Request, Response
from sqlalchemy.exc import SQLAlchemyError
from starlette.background import BackgroundTask

from orchestrator import clock
from orchestrator.db import transaction
from orchestrator.errors import AvtaleError, NotFound
from orchestrator.flows.note_seen import Kind, note_seen
from orchestrator.pages.screen import PageRoute, app_of, subject_of
from orchestrator.rules.opens import Hit
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
    """Lead to the stored URL and nowhere else. Raises NotFound for anything altered."""
    link_id = subject_of(request, "click", token)
    async with transaction(app_of(request).engine) as conn:
        link = await pages.link(conn, link_id)
    target = followable(link["url"]) if link else None
    if target is None:
        raise NotFound("There is no such link.")
    background = BackgroundTask(note, request, kind="click", subject=link_id)
    return Response(status_code=302, headers={"location": target}, background=background)


async def note(request: Request, *, kind: Kind, subject: UUID) -> None:
    """Note what was seen, after the answer has left. A failure costs a note and nothing else."""
    app = app_of(request)
    try:
        async with transaction(app.engine) as conn:
            now = await clock.database_now(conn)
            verdict = await note_seen(
                conn, app.keys, kind=kind, subject=subject, hit=hit_of(request), now=now
            )
    except (AvtaleError, SQLAlchemyError, OSError) as error:
        log.warning("seen.lost", kind=kind, subject=str(subject), error=type(error).__name__)
        return
    if verdict is not None:
        log.info("seen", kind=kind, subject=str(subject), grade=verdict.grade)


def hit_of(request: Request) -> Hit:
    """What the request says of itself, cut to a length that is worth keeping."""
    said = (request.headers.get(name, "") for name in ("sec-purpose", "purpose", "x-moz"))
    return Hit(
        method=request.method,
        user_agent=request.headers.get("user-agent", "")[:300],
        purpose=" ".join(said)[:100],
    )
