"""What a request is given: the App, who asks, how far they may go, which page they want."""

from dataclasses import dataclass
from hmac import compare_digest
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request, Security, params
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer, SecurityScopes

from orchestrator.clock import database_now, utc_now
from orchestrator.db import transaction
from orchestrator.errors import Forbidden, Unauthorized
from orchestrator.flows.create_key import hash_of
from orchestrator.rules import scopes
from orchestrator.store import api_keys
from orchestrator.wiring import App

_bearer = HTTPBearer(
    scheme_name="ApiKey",
    bearerFormat="avk_...",
    auto_error=False,
    description="Made with `avtale key create NAME --scope ...`; its scopes say how far it goes.",
)


@dataclass(frozen=True, slots=True)
class Caller:
    """The API key that a request came with."""

    id: UUID
    name: str
    scopes: tuple[str, ...]


def the_app(request: Request) -> App:
    """The parts of this process."""
    app: App = request.app.state.avtale
    return app


Avtale = Annotated[App, Depends(the_app)]


async def _authorize(
    needed: SecurityScopes,
    request: Request,
    app: Avtale,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Caller:
    """The caller. Raises Unauthorized without a live key, Forbidden when it reaches less far."""
    if credentials is None:
        raise Unauthorized("send an API key: `Authorization: Bearer avk_...`")
    caller = await _identify(app, credentials.credentials)
    for scope in needed.scopes:
        if not scopes.allows(caller.scopes, scope):
            raise Forbidden(f"this key does not reach that far: it needs the scope {scope}")
    request.state.caller = caller
    return caller


async def _identify(app: App, secret: str) -> Caller:
    wanted = hash_of(secret)
    async with transaction(app.engine) as conn:
        row = await api_keys.by_hash(conn, wanted)
        # The index finds by hash, which tells nothing about the secret; the comparison of what was
        # found takes the same time wherever it differs.
        if row is None or not compare_digest(row["secret_hash"], wanted):
            raise Unauthorized("this API key is unknown or revoked")
        if row["used_at"] is None or (utc_now() - row["used_at"]).total_seconds() > 60:
            await api_keys.touch(conn, row["id"], await database_now(conn))
    return Caller(row["id"], row["name"], tuple(row["scopes"]))


def reach(scope: str) -> params.Depends:
    """The dependency of a route that needs `scope`."""
    made: params.Depends = Security(_authorize, scopes=[scope])
    return made
