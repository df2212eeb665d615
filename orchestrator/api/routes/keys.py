"""API keys: who may use this API, and how far."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.api import idempotency
from orchestrator.api.parts import Avtale, Caller, reach
from orchestrator.api.problems import responses
from orchestrator.api.routes.users import Role
from orchestrator.api.shapes import In, Name, Out, Short
from orchestrator.clock import database_now
from orchestrator.db import transaction
from orchestrator.errors import NotFound
from orchestrator.flows.create_key import create_key
from orchestrator.store import api_keys

router = APIRouter(prefix="/api/keys", tags=["keys"])


class ApiKey(Out):
    """A key, without its secret."""

    id: UUID
    name: str
    scopes: list[str]
    role: Role
    user_id: UUID | None
    created_at: datetime
    used_at: datetime | None
    revoked_at: datetime | None


class NewApiKey(In):
    """What the key is for (`scopes`), and how far it reaches (`role`)."""

    name: Name
    scopes: list[Short] = Field(min_length=1, max_length=50, examples=[["prospects:write"]])
    role: Role = "ops"
    user_id: UUID | None = Field(None, description="whose key it is: it reaches no further")


class MadeApiKey(Out):
    """The key with its secret, which is shown this once."""

    id: UUID
    name: str
    scopes: list[str]
    role: Role
    secret: str


@router.get("", dependencies=[reach("keys:read")], summary="List API keys")
async def list_keys(app: Avtale) -> list[ApiKey]:
    """All of them, oldest first; also those that are revoked."""
    async with transaction(app.engine) as conn:
        return [ApiKey.model_validate(row) for row in await api_keys.everyone(conn)]


@router.post(
    "",
    status_code=201,
    response_model=MadeApiKey,
    summary="Make an API key",
    responses=responses(409),
)
async def make_key(
    app: Avtale,
    request: Request,
    body: NewApiKey,
    caller: Annotated[Caller, reach("keys:write")],
) -> Response:
    """No Idempotency-Key: the secret is nowhere kept, so that it cannot be sent again."""

    async def work(conn: AsyncConnection, _: datetime) -> MadeApiKey:
        made = await create_key(
            conn, name=body.name, scopes=body.scopes, role=body.role, user_id=body.user_id
        )
        return MadeApiKey.model_validate(made)

    return await idempotency.create(request, caller, None, work)


@router.post(
    "/{key_id}/revoke",
    status_code=204,
    dependencies=[reach("keys:write")],
    summary="Revoke an API key",
    responses=responses(404),
)
async def revoke_key(app: Avtale, key_id: UUID) -> None:
    """At once, and for good."""
    async with transaction(app.engine) as conn:
        if not await api_keys.revoke_id(conn, key_id, await database_now(conn)):
            raise NotFound("there is no such live key")
