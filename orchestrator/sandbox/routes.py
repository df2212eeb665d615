"""The sandbox's web inbox, where a newcomer plays the prospect; only with AVTALE_SANDBOX."""

import json
import smtplib
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Annotated, Any
from urllib.parse import quote, urlsplit

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from httpx import HTTPError

from orchestrator.clock import database_now
from orchestrator.db import transaction
from orchestrator.errors import BadInput, NotFound, Unavailable
from orchestrator.jobs_wire import Bell
from orchestrator.sandbox import clock, screens
from orchestrator.sandbox.frame import PRESSED, Avtale, frame_of
from orchestrator.sandbox.mailbox import Mail, Mailbox
from orchestrator.sandbox.post_office import folder, port_file
from orchestrator.sandbox.prospect import Prospect, Seen
from orchestrator.store import sandbox
from orchestrator.wiring import App

router = APIRouter(prefix="/sandbox", include_in_schema=False)

BELLS: tuple[Bell, ...] = ("plan", "send")
_MOVES = {"hour": timedelta(hours=1), "day": timedelta(days=1), "three-days": timedelta(days=3)}


def _mailbox(app: App) -> Mailbox:
    return Mailbox(folder(app.settings))


def _mail(app: App, name: str) -> Mail:
    found = _mailbox(app).get(name)
    if found is None:
        raise NotFound("there is no such mail in the sandbox")
    return found


@router.get("/style.css")
async def style() -> Response:
    """The style of these pages."""
    return Response(
        (screens.TEMPLATES / "style.css").read_bytes(),
        media_type="text/css",
        headers={"cache-control": "no-cache", "x-content-type-options": "nosniff"},
    )


@router.get("")
async def inbox(app: Avtale, person: str = "") -> HTMLResponse:
    """Everybody's inbox: the newest mails, or those of one person."""
    mailbox = _mailbox(app)
    everything = mailbox.mails(newest=2000)
    frame = await frame_of(app)
    counts: dict[str, int] = {}
    for mail in everything:
        for recipient in mail.recipients:
            counts[recipient.lower()] = counts.get(recipient.lower(), 0) + 1
    shown = [m for m in everything if not person or person in (r.lower() for r in m.recipients)]
    return screens.page(
        "inbox.html",
        **frame,
        here="inbox",
        counts=counts,
        person=person,
        mails=shown[:-101:-1],
        more=max(0, len(shown) - 100),
    )


@router.get("/mail/{name}")
async def read(app: Avtale, name: str, said: str = "") -> HTMLResponse:
    """One mail with the buttons of its reader."""
    mail, frame = _mail(app, name), await frame_of(app)
    readers = {each.lower() for each in mail.recipients}
    reader = next((each for each in frame["people"] if each["address"] in readers), None)
    return screens.page(
        "mail.html",
        **frame,
        here="inbox",
        mail=mail,
        reader=reader,
        invitations=screens.invitations(mail),
        suggestions=screens.suggestions(reader and reader["language"]),
        ours={
            link: words
            for link, words in mail.anchors.items()
            if link.startswith(app.settings.base_url)
        },
        said=said,
    )


@router.get("/mail/{name}/html")
async def html(app: Avtale, name: str) -> HTMLResponse:
    """The HTML part, for the frame."""
    return screens.mail_frame(_mail(app, name))


def _prospect(app: App) -> Prospect:
    try:
        where = json.loads(port_file(app.settings).read_text())
    except (OSError, ValueError):
        raise Unavailable("the sandbox's mail server is not up yet") from None
    return Prospect(
        base_url=app.settings.base_url, smtp_host=where["host"], smtp_port=where["port"]
    )


async def _try(act: Callable[[], Awaitable[Any]], done: str) -> str:
    """Do it; what happened in words."""
    try:
        result = await act()
    except BadInput as error:
        return f"Nothing done: {error.message}."
    except (HTTPError, OSError, ValueError, smtplib.SMTPException) as error:
        return f"It did not work: {error}"
    if isinstance(result, Seen) and result.status >= 400:
        return f"The service said {result.status}."
    return done


def _back(name: str, said: str) -> RedirectResponse:
    return RedirectResponse(f"/sandbox/mail/{quote(name)}?said={quote(said)}", 303)


@router.post("/mail/{name}/open", dependencies=PRESSED)
async def open_mail(app: Avtale, name: str) -> RedirectResponse:
    """Load the mail's images."""
    mail = _mail(app, name)
    return _back(name, await _try(lambda: _prospect(app).open(mail), "Opened, images loaded."))


@router.post("/mail/{name}/unsubscribe", dependencies=PRESSED)
async def unsubscribe(app: Avtale, name: str) -> RedirectResponse:
    """Press the mail program's unsubscribe button."""
    mail = _mail(app, name)
    said = await _try(lambda: _prospect(app).unsubscribe(mail), "Unsubscribed with one click.")
    return _back(name, said)


@router.post("/mail/{name}/answer", dependencies=PRESSED)
async def answer(
    app: Avtale, name: str, text: Annotated[str, Form(max_length=5000)] = ""
) -> RedirectResponse:
    """Reply to the mail."""
    mail = _mail(app, name)
    if not text.strip():
        return _back(name, "Nothing done: the answer is empty.")
    async with transaction(app.engine) as conn:
        now = await database_now(conn)
    said = await _try(
        lambda: _prospect(app).answer(mail, text, now=now),
        "Answered. “What happens” shows what Avtale makes of it.",
    )
    return _back(name, said)


@router.get("/live")
async def live(app: Avtale) -> HTMLResponse:
    """What the service is doing, every two seconds."""
    frame = await frame_of(app)
    async with transaction(app.engine) as conn:
        lines = await sandbox.lately(conn, 60)
        values: dict[str, Any] = {
            "counts": await sandbox.counts(conn),
            "lanes": await sandbox.lanes(conn),
            "upcoming": await sandbox.upcoming(conn, 8),
        }
    for line in lines:
        line["words"] = screens.sentence(line)
    return screens.page("live.html", **frame, **values, here="live", lines=lines)


@router.post("/clock", dependencies=PRESSED)
async def move_clock(request: Request, app: Avtale, to: Annotated[str, Form()]) -> RedirectResponse:
    """Move time forward: `next`, or one of a few spans."""
    if to == "next":
        await clock.move_to_next(app.engine)
    elif to in _MOVES:
        await clock.move(app.engine, _MOVES[to])
    else:
        raise BadInput("time moves by next, hour, day or three-days")
    for bell in BELLS:  # whoever waits until something is due waits no more
        app.ring(bell)
    back = urlsplit(request.headers.get("referer", "")).path
    return RedirectResponse(back if back.startswith("/sandbox") else "/sandbox/live", 303)
