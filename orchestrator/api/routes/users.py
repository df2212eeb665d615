"""Users: who may sign in to the console, and as what."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.access_address import address_of
from orchestrator.api import idempotency
from orchestrator.api.paging import Page, Paging
from orchestrator.api.parts import Avtale, Caller, reach
from orchestrator.api.problems import responses
from orchestrator.api.reading import read_one, read_page
from orchestrator.api.shapes import In, Name, Out, Short
from orchestrator.clock import database_now, real_now
from orchestrator.db import transaction
from orchestrator.errors import NotFound
from orchestrator.flows.add_user import add_user as add
from orchestrator.flows.change_user import change_user
from orchestrator.flows.make_link import make_link
from orchestrator.models.accounts import users
from orchestrator.store import sessions
from orchestrator.store import users as store

router = APIRouter(prefix="/api/users", tags=["users"])
Role = Literal["admin", "ops", "rep", "viewer"]
_NO_SUCH = "user"


class User(Out):
    """Somebody who may sign in, as long as they are not disabled."""

    id: UUID
    email: str
    name: str
    role: Role
    has_password: bool
    has_totp: bool = Field(description="a second factor is asked for")
    disabled_at: datetime | None
    signed_in_at: datetime | None
    created_at: datetime


class NewUser(In):
    """Whom to invite."""

    email: Short = Field(examples=["kari@office.example"])
    name: Name
    role: Role


class UserChange(In):
    """What to change. Another role, or being disabled, ends every session of theirs."""

    name: Name | None = None
    role: Role | None = None
    disabled: bool | None = None


class Link(Out):
    """A link for setting a password, good once. It is shown this once."""

    address: str
    user: User


@router.get("", dependencies=[reach("users:read")], summary="List users")
async def list_users(app: Avtale, wanted: Paging) -> Page[User]:
    """The newest first."""
    return Page[User].model_validate(await read_page(app, store.LISTING, users.c.id, wanted))


@router.post(
    "", status_code=201, response_model=Link, summary="Add a user", responses=responses(409)
)
async def add_user(
    app: Avtale,
    request: Request,
    body: NewUser,
    caller: Annotated[Caller, reach("users:write")],
) -> Response:
    """Answers the link by which they set a password; nobody else may have it. It is not stored, and
    not mailed: to get another one, ask for a reset."""

    async def work(conn: AsyncConnection, now: datetime) -> Link:
        made = await add(conn, email=body.email, name=body.name, role=body.role, now=now)
        return await _link(conn, app, made, "invite")

    return await idempotency.create(request, caller, None, work)


@router.get(
    "/{user_id}",
    dependencies=[reach("users:read")],
    summary="Read a user",
    responses=responses(404),
)
async def get_user(app: Avtale, user_id: UUID) -> User:
    """One user."""
    return User.model_validate(await read_one(app, store.LISTING, users.c.id == user_id, _NO_SUCH))


@router.patch(
    "/{user_id}",
    dependencies=[reach("users:write")],
    summary="Change a user",
    responses=responses(404, 409),
)
async def patch_user(app: Avtale, user_id: UUID, body: UserChange) -> User:
    """Set what is given; the rest stays. There is always one admin left."""
    async with transaction(app.engine) as conn:
        now = await database_now(conn)
        await change_user(conn, user_id=user_id, now=now, **body.model_dump(exclude_unset=True))
        return await _read(conn, user_id)


@router.post(
    "/{user_id}/reset",
    dependencies=[reach("users:write")],
    summary="Make a link for a new password",
    responses=responses(404),
)
async def reset_user(app: Avtale, user_id: UUID) -> Link:
    """Their password stays as it is until the link is used. An earlier link is worth nothing."""
    async with transaction(app.engine) as conn:
        return await _link(conn, app, user_id, "reset")


@router.post(
    "/{user_id}/sign-out",
    dependencies=[reach("users:write")],
    summary="End a user's sessions",
    responses=responses(404),
)
async def sign_out_user(app: Avtale, user_id: UUID) -> User:
    """On every machine, at once."""
    async with transaction(app.engine) as conn:
        found = await _read(conn, user_id)
        await sessions.end_all(conn, user_id)
        return found


async def _read(conn: AsyncConnection, user_id: UUID) -> User:
    row = (await conn.execute(store.LISTING.where(users.c.id == user_id))).mappings().first()
    if row is None:
        raise NotFound("there is no such user")
    return User.model_validate(dict(row))


async def _link(
    conn: AsyncConnection, app: Avtale, user_id: UUID, kind: Literal["invite", "reset"]
) -> Link:
    found = await _read(conn, user_id)
    token = await make_link(conn, kind=kind, user_id=user_id, now=await real_now(conn))
    return Link(address=address_of(app.settings, "password", token), user=found)
