"""Who visits: the session's cookie, what their forms carry back, and where a request came from."""

import re
from dataclasses import dataclass
from hmac import compare_digest
from urllib.parse import urlsplit

from fastapi import Request, Response

from orchestrator import clock
from orchestrator.config import Settings
from orchestrator.db import transaction
from orchestrator.errors import Forbidden
from orchestrator.flows.find_session import Session, find_session
from orchestrator.pages.words import Words
from orchestrator.rules.access import Reach, reach_of
from orchestrator.rules.accounts import SESSION_LIFE
from orchestrator.wiring import App

FIELD = "form_token"
_NEXT = re.compile(r"console/[A-Za-z0-9/_-]{0,200}(\?[A-Za-z0-9=&%._~+-]{0,500})?")
_SAID = re.compile(r"[a-z_]{1,40}")


@dataclass(slots=True)
class Visit:
    """One request of somebody who may be signed in."""

    token: str
    session: Session | None
    words: Words
    form_token: str  # "" without a session
    said: str  # what the page before has just done: a key of the words

    def may(self, action: str) -> bool:
        """Whether this user does `action` at all: what a menu shows."""
        return self.session is not None and reach_of(self.session.role, action) is not Reach.NONE


def names_of(settings: Settings) -> tuple[str, str, bool]:
    """The session cookie's name and path, and whether it goes over https only.

    `__Host-` binds a cookie to one host and to `/` (RFC 6265bis, 4.1.3.2); below a path that is
    shared with others it cannot, and `__Secure-` with the path stands in.
    """
    base = urlsplit(settings.base_url)
    path = base.path.rstrip("/")
    secure = base.scheme == "https"
    prefix = "" if not secure else "__Secure-" if path else "__Host-"
    return f"{prefix}avtale-session", path or "/", secure


async def session_of(request: Request, app: App) -> tuple[str, Session | None]:
    """The cookie's token and the live session that it stands for."""
    name, _, _ = names_of(app.settings)
    token = request.cookies.get(name, "")
    if not token:
        return "", None
    async with transaction(app.engine) as conn:
        return token, await find_session(conn, token, await clock.real_now(conn))


def form_token(app: App, session: Session | None) -> str:
    """What every form of this session carries."""
    return app.keys.form_token(session.id, session.token_hash) if session else ""


def keep(response: Response, settings: Settings, token: str) -> None:
    """Give the browser the session's cookie. It ends with the session, not before."""
    name, path, secure = names_of(settings)
    response.set_cookie(
        name,
        token,
        max_age=int(SESSION_LIFE.total_seconds()),
        path=path,
        secure=secure,
        httponly=True,
        samesite="lax",
    )


def forget(response: Response, settings: Settings) -> None:
    """Take the cookie away."""
    name, path, secure = names_of(settings)
    response.delete_cookie(name, path=path, secure=secure, httponly=True, samesite="lax")


def require_same_origin(request: Request, settings: Settings) -> None:
    """Raise Forbidden for a form that another site's page sent.

    Browsers say where a request comes from by Sec-Fetch-Site where the connection is to be trusted,
    and by Origin with every POST; one that says neither is no browser that we know.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        if site != "same-origin":
            raise Forbidden("This form was sent by another site.")
        return
    origin = urlsplit(request.headers.get("origin", ""))
    ours = {urlsplit(settings.base_url).netloc, request.headers.get("host", "")}
    if not origin.netloc or origin.netloc not in ours:
        raise Forbidden("This form was sent by another site.")


def require_form_token(visit: Visit, sent: str) -> None:
    """Raise Forbidden for a form that was not made for this session."""
    if not compare_digest(sent.encode("utf-8", "replace"), visit.form_token.encode()):
        raise Forbidden("This form is of another session: load the page again.")


def safe_next(wanted: str) -> str:
    """Where to go after signing in: a page of the console, or Today."""
    return wanted if _NEXT.fullmatch(wanted) and "//" not in wanted else "console/today"


def said_name(settings: Settings) -> str:
    """The cookie that carries one word over a redirect."""
    return names_of(settings)[0].replace("session", "said")


def say(response: Response, settings: Settings, key: str) -> None:
    """Let the next page say what has just been done."""
    _, path, secure = names_of(settings)
    response.set_cookie(
        said_name(settings),
        key,
        max_age=30,
        path=path,
        secure=secure,
        httponly=True,
        samesite="strict",
    )


def heard(request: Request, settings: Settings) -> str:
    """What the request before has said, "" for nothing or for what it cannot have said."""
    found = request.cookies.get(said_name(settings), "")
    return found if _SAID.fullmatch(found) else ""
