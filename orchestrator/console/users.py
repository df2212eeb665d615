"""Who may sign in, and as what: for admins."""

from uuid import UUID

from fastapi import Request, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.access_address import address_of
from orchestrator.clock import database_now, real_now
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
from orchestrator.errors import BadInput, Conflict, NotFound
from orchestrator.flows.add_user import add_user
from orchestrator.flows.change_user import change_user
from orchestrator.flows.make_link import make_link
from orchestrator.rules.access import ROLES
from orchestrator.store import users

router = Pages()


@router.page("/console/users", "users:read")
async def show_users(request: Request) -> Response:
    """All of them."""
    return await _page(request)


@router.form("/console/users", "users:write")
async def invite_user(request: Request) -> Response:
    """Add one, and show the link for their password this once."""
    app, form = app_of(request), form_of(request)
    typed = {name: form.get(name, "") for name in ("email", "name", "role")}
    try:
        async with transaction(app.engine) as conn:
            made = await add_user(conn, **typed, now=await database_now(conn))
            token = await make_link(conn, kind="invite", user_id=made, now=await real_now(conn))
    except (BadInput, Conflict) as error:
        return await _page(request, status=error.status_code, typed=typed, faults=faults_of(error))
    link = address_of(app.settings, "password", token)
    return render(request, "link.html", link=link, email=typed["email"], kind="invite")


@router.page("/console/users/{user_id}", "users:read")
async def show_user(request: Request, user_id: UUID) -> Response:
    """One of them, and what can be changed."""
    return await _one(request, user_id)


@router.form("/console/users/{user_id}", "users:write")
async def save_user(request: Request, user_id: UUID) -> Response:
    """Another name or role."""
    app, form = app_of(request), form_of(request)
    try:
        async with transaction(app.engine) as conn:
            now = await database_now(conn)
            name, role = form.get("name", ""), form.get("role", "")
            await change_user(conn, user_id=user_id, name=name, role=role, now=now)
    except (BadInput, Conflict) as error:
        return await _one(request, user_id, status=error.status_code, faults=faults_of(error))
    return _done(request, "saved")


@router.form("/console/users/{user_id}/disable", "users:write")
async def disable_user(request: Request, user_id: UUID) -> Response:
    """Let them in no more."""
    return await _let(request, user_id, disabled=True)


@router.form("/console/users/{user_id}/enable", "users:write")
async def enable_user(request: Request, user_id: UUID) -> Response:
    """Let them in again."""
    return await _let(request, user_id, disabled=False)


@router.form("/console/users/{user_id}/reset", "users:write")
async def reset_user(request: Request, user_id: UUID) -> Response:
    """A link for a new password, shown this once."""
    app = app_of(request)
    async with transaction(app.engine) as conn:
        user = await _found(conn, user_id)
        token = await make_link(conn, kind="reset", user_id=user_id, now=await real_now(conn))
    link = address_of(app.settings, "password", token)
    return render(request, "link.html", link=link, email=user["email"], kind="reset")


async def _let(request: Request, user_id: UUID, *, disabled: bool) -> Response:
    app = app_of(request)
    try:
        async with transaction(app.engine) as conn:
            now = await database_now(conn)
            await change_user(conn, user_id=user_id, disabled=disabled, now=now)
    except Conflict as error:
        return await _one(request, user_id, status=409, faults=faults_of(error))
    return _done(request, "user_disabled" if disabled else "user_enabled")


def _done(request: Request, said: str) -> Response:
    response = go(request, "console/users")
    visits.say(response, app_of(request).settings, said)
    return response


async def _found(conn: AsyncConnection, user_id: UUID) -> dict[str, object]:
    row = await users.by_id(conn, user_id)
    if row is None:
        raise NotFound("There is no such user.")
    return dict(row)


async def _one(
    request: Request, user_id: UUID, *, status: int = 200, faults: dict[str, str] | None = None
) -> Response:
    async with transaction(app_of(request).engine) as conn:
        user = await _found(conn, user_id)
    me = session_of(request).user_id == user_id
    return render(
        request, "user.html", status=status, user=user, me=me, roles=ROLES, faults=faults or {}
    )


async def _page(
    request: Request,
    *,
    status: int = 200,
    typed: dict[str, str] | None = None,
    faults: dict[str, str] | None = None,
) -> Response:
    async with transaction(app_of(request).engine) as conn:
        rows = await users.everyone(conn)
    return render(
        request,
        "users.html",
        status=status,
        users=rows,
        roles=ROLES,
        typed=typed or {},
        faults=faults or {},
    )
