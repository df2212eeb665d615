"""Oneself: name, language, colours, password, second factor, and where one is signed in."""

from uuid import UUID

from fastapi import Request, Response

from orchestrator.clock import real_now
from orchestrator.console import visit as visits
from orchestrator.console.frame import (
    Pages,
    app_of,
    faults_of,
    form_of,
    go,
    render,
    session_of,
)
from orchestrator.db import transaction
from orchestrator.errors import BadInput, NotFound, TooManyTries
from orchestrator.flows.change_account import change_account
from orchestrator.flows.change_password import change_password
from orchestrator.rules.accounts import SESSION_IDLE
from orchestrator.rules.browser_name import browser_name
from orchestrator.store import sessions, users

router = Pages()


@router.page("/console/account", "account:read")
async def show_account(request: Request) -> Response:
    """The page."""
    return await _page(request)


@router.form("/console/account", "account:write")
async def save_account(request: Request) -> Response:
    """Name, language and colours."""
    app, form = app_of(request), form_of(request)
    values = {
        "name": form.get("name", ""),
        "language": form.get("language") or None,
        "theme": form.get("theme", "auto"),
    }
    try:
        async with transaction(app.engine) as conn:
            await change_account(conn, user_id=session_of(request).user_id, **values)
    except BadInput as error:
        return await _page(request, status=422, faults=faults_of(error))
    response = go(request, "console/account")
    visits.say(response, app.settings, "saved")
    return response


@router.form("/console/account/password", "account:write")
async def save_password(request: Request) -> Response:
    """Another password; every other session ends, and this one goes on under another token."""
    app, form, session = app_of(request), form_of(request), session_of(request)
    try:
        token = await change_password(
            app,
            user_id=session.user_id,
            session_id=session.id,
            current=form.get("current", ""),
            password=form.get("password", ""),
        )
    except BadInput as error:
        return await _page(request, status=422, faults=faults_of(error))
    except TooManyTries:
        return await _page(request, status=429, faults={"current": "tries"})
    response = go(request, "console/account")
    visits.keep(response, app.settings, token)
    visits.say(response, app.settings, "password_changed")
    return response


@router.form("/console/account/sessions/{session_id}/end", "account:write")
async def end_session(request: Request, session_id: UUID) -> Response:
    """Sign out on one machine; answers the list that is left."""
    app, session = app_of(request), session_of(request)
    async with transaction(app.engine) as conn:
        if not await sessions.end(conn, session_id, session.user_id):
            raise NotFound("There is no such session of yours.")
    if request.headers.get("hx-request") == "true":
        return await _page(request, template="sessions.html")
    response = go(request, "console/account")
    visits.say(response, app.settings, "session_ended")
    return response


@router.form("/console/account/sign-out-everywhere", "account:write")
async def end_others(request: Request) -> Response:
    """Sign out everywhere, here too."""
    app, session = app_of(request), session_of(request)
    async with transaction(app.engine) as conn:
        await sessions.end_all(conn, session.user_id)
    response = go(request, "console/sign-in")
    visits.forget(response, app.settings)
    visits.say(response, app.settings, "signed_out_everywhere")
    return response


async def _page(
    request: Request,
    *,
    status: int = 200,
    faults: dict[str, str] | None = None,
    template: str = "account.html",
) -> Response:
    session = session_of(request)
    async with transaction(app_of(request).engine) as conn:
        now = await real_now(conn)
        user = await users.by_id(conn, session.user_id)
        codes = await users.codes_left(conn, session.user_id)
        rows = await sessions.of_user(conn, session.user_id)
    assert user is not None  # a session has a user, by its foreign key
    live = [r for r in rows if r["expires_at"] > now and now - r["seen_at"] < SESSION_IDLE]
    return render(
        request,
        template,
        status=status,
        user=user,
        codes=codes,
        sessions=live,
        mine=session.id,
        browser_name=browser_name,
        faults=faults or {},
    )
