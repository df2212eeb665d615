"""Signing in and out."""

from fastapi import Request, Response

from orchestrator.console import visit as visits
from orchestrator.console.frame import (
    HALF,
    OPEN,
    Pages,
    app_of,
    form_of,
    go,
    render,
    session_of,
    visit_of,
)
from orchestrator.console.visit import safe_next
from orchestrator.db import transaction
from orchestrator.errors import TooManyTries, Unauthorized
from orchestrator.flows.second_factor import second_factor
from orchestrator.flows.sign_in import sign_in
from orchestrator.store import sessions, users

router = Pages()


@router.page("/console/sign-in", OPEN)
async def show_sign_in(request: Request) -> Response:
    """The form; whoever is signed in goes on."""
    visit = visit_of(request)
    back = safe_next(request.query_params.get("next", ""))
    if visit.session is not None:
        return go(request, back if visit.session.whole else "console/code")
    app = app_of(request)
    async with transaction(app.engine) as conn:
        claimed = await users.any_exists(conn)
    return render(request, "sign_in.html", back=back, email="", fault="", claimed=claimed)


@router.form("/console/sign-in", OPEN)
async def enter(request: Request) -> Response:
    """A new session, or the form again, with the same words for every way of being wrong."""
    app, form = app_of(request), form_of(request)
    back = safe_next(form.get("next", ""))
    try:
        made = await sign_in(
            app,
            email=form.get("email", ""),
            password=form.get("password", ""),
            address=address_of(request),
            user_agent=request.headers.get("user-agent", ""),
            old_token=visit_of(request).token or None,
        )
    except (Unauthorized, TooManyTries) as error:
        fault = "tries" if isinstance(error, TooManyTries) else "wrong"
        values = {"back": back, "email": form.get("email", "")[:254], "claimed": True}
        return render(request, "sign_in.html", status=error.status_code, fault=fault, **values)
    response = go(request, back if made.whole else f"console/code?next={back}")
    visits.keep(response, app.settings, made.token)
    return response


@router.page("/console/code", HALF)
async def show_code(request: Request) -> Response:
    """Ask for the second factor."""
    return render(
        request, "code.html", back=safe_next(request.query_params.get("next", "")), fault=""
    )


@router.form("/console/code", HALF)
async def send_code(request: Request) -> Response:
    """A whole session, or the question again."""
    app, form = app_of(request), form_of(request)
    back = safe_next(form.get("next", ""))
    try:
        through = await second_factor(app, session_of(request), form.get("code", ""))
    except (Unauthorized, TooManyTries) as error:
        fault = "tries" if isinstance(error, TooManyTries) else "code"
        return render(request, "code.html", status=error.status_code, back=back, fault=fault)
    few = through.codes_left is not None and through.codes_left < 3
    response = go(request, "console/account" if few else back)
    visits.keep(response, app.settings, through.token)
    if few:
        visits.say(response, app.settings, "codes_low")
    return response


@router.form("/console/sign-out", "account:write")
async def leave(request: Request) -> Response:
    """End this session."""
    app, session = app_of(request), session_of(request)
    async with transaction(app.engine) as conn:
        await sessions.end(conn, session.id, session.user_id)
    response = go(request, "console/sign-in")
    visits.forget(response, app.settings)
    visits.say(response, app.settings, "signed_out")
    return response


@router.form("/console/code/cancel", HALF)
async def leave_half(request: Request) -> Response:
    """Somebody else wants to sign in."""
    app, session = app_of(request), session_of(request)
    async with transaction(app.engine) as conn:
        await sessions.end(conn, session.id, session.user_id)
    response = go(request, "console/sign-in")
    visits.forget(response, app.settings)
    return response


def address_of(request: Request) -> str:
    """Where the request comes from, as far as configured proxies say."""
    return request.client.host if request.client else ""
