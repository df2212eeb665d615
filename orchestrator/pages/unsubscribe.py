"""Unsubscribe: GET shows, POST acts, and mail programs POST with one click (RFC 8058)."""

import structlog
from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse

from orchestrator import clock
from orchestrator.db import transaction
from orchestrator.errors import BadInput, NotFound
from orchestrator.flows.unsubscribe import unsubscribe
from orchestrator.pages.forms import read_form
from orchestrator.pages.screen import PageRoute, app_of, screen, subject_of, words_for
from orchestrator.pages.words import Words
from orchestrator.store import pages

router = APIRouter(route_class=PageRoute, include_in_schema=False)
log = structlog.get_logger()


@router.api_route("/u/{token}", methods=["GET", "HEAD"])
async def ask(request: Request, token: str) -> Response:
    """Ask whether to stop. Has no effect at all: scanners follow every link (B2, B3)."""
    message_id = subject_of(request, "unsubscribe", token)
    async with transaction(app_of(request).engine) as conn:
        row = await pages.message(conn, message_id)
    if row is None:
        raise NotFound("There is no such message.")
    words = words_for(request, row["language"])
    page_token = app_of(request).keys.token("page", row["enrollment_id"])
    return _screen(request, token, words, page_token, done=row["opted_out_at"] is not None)


@router.post("/u/{token}")
async def act(request: Request, token: str) -> Response:
    """Opt the person out of everything. Whoever POSTs here without our form's field is a mail
    program, and gets a line of text: no redirect, no cookie (RFC 8058, 3.2)."""
    message_id = subject_of(request, "unsubscribe", token)
    try:
        form = await read_form(request)
    except BadInput:
        form = {}  # a body that nobody can read is still a POST to this address
    one_click = "confirm" not in form
    app = app_of(request)
    async with transaction(app.engine) as conn:
        now = await clock.database_now(conn)
        await unsubscribe(conn, message_id=message_id, one_click=one_click, now=now)
        row = await pages.message(conn, message_id)
    assert row is not None
    log.info("unsubscribed", message=str(message_id), one_click=one_click)
    words = words_for(request, row["language"])
    if one_click:
        return PlainTextResponse(words("unsubscribe.done") + "\n")
    page_token = app.keys.token("page", row["enrollment_id"])
    return _screen(request, token, words, page_token, done=True)


def _screen(request: Request, token: str, words: Words, page_token: str, *, done: bool) -> Response:
    return screen(request, "unsubscribe.html", words, token=token, page_token=page_token, done=done)
