"""What a request is given: the App, who asks, how far they may go, which page they want."""

from dataclasses import dataclass
from hmac import compare_digest
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request, Security, params
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer, SecurityScopes

from orchestrator import acting
from orchestrator.acting import Actor
from orchestrator.clock import database_now, utc_now
from orchestrator.db import transaction
from orchestrator.errors import Forbidden, NotFound, Unauthorized
from orchestrator.flows.create_key import hash_of
from orchestrator.rules import access, scopes
from orchestrator.rules.access import Reach
from orchestrator.store import api_keys, ownership
from orchestrator.wiring import App

_bearer = HTTPBearer(
    scheme_name="ApiKey",
    bearerFormat="avk_...",
    auto_error=False,
    description="Made with `avtale key create NAME --scope ... --role ...`: its scopes say what it "
    "is for, its role how far it goes.",
)


@dataclass(frozen=True, slots=True)
class Caller:
    """The API key that a request came with, and the user whom it belongs to, if any."""

    id: UUID
    name: str
    scopes: tuple[str, ...]
    roles: tuple[str, ...]  # the key's, and the user's: each bounds what the scopes grant
    user_id: UUID | None


def the_app(request: Request) -> App:
    """The parts of this process."""
    app: App = request.app.state.avtale
    return app


Avtale = Annotated[App, Depends(the_app)]
_Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


async def _authorize(
    needed: SecurityScopes, request: Request, app: Avtale, credentials: _Credentials
) -> Caller:
    """The caller. Raises Unauthorized without a live key, Forbidden when it reaches less far, and
    NotFound where the address names something of somebody else's."""
    caller, action, reach = await _enter(needed, request, app, credentials)
    if reach is Reach.OWN:
        await _require_own(request, app, caller, action)
    return caller


async def _authorize_scoped(
    needed: SecurityScopes, request: Request, app: Avtale, credentials: _Credentials
) -> Caller:
    """The same for a route that keeps to `acting.only_own()` by itself."""
    caller, _, _ = await _enter(needed, request, app, credentials)
    return caller


async def _enter(
    needed: SecurityScopes,
    request: Request,
    app: App,
    credentials: HTTPAuthorizationCredentials | None,
) -> tuple[Caller, str, Reach]:
    """Who asks, for which action, and how far they reach with it."""
    if credentials is None:
        raise Unauthorized("send an API key: `Authorization: Bearer avk_...`")
    caller = await _identify(app, credentials.credentials)
    [action] = needed.scopes
    if not scopes.allows(caller.scopes, action):
        raise Forbidden(f"this key does not reach that far: it needs the scope {action}")
    reach = access.reach_with(caller.roles, caller.scopes, action)
    if reach is Reach.NONE or (reach is Reach.OWN and caller.user_id is None):
        raise Forbidden(f"the role {caller.roles[-1]} does not reach that far: {action}")
    request.state.caller = caller
    acting.become(
        Actor(
            "key",
            caller.id,
            caller.name,
            getattr(request.scope.get("route"), "name", "") or request.method,
            subject=_subject(request),
            changes=request.method not in ("GET", "HEAD"),
            owner=caller.user_id if reach is Reach.OWN else None,
        )
    )
    return caller, action, reach


def _subject(request: Request) -> tuple[str, str] | None:
    """What the address names: `("prospect", id)`."""
    for name, value in request.path_params.items():
        return name.removesuffix("_id"), str(value)[:200]
    return None


async def _require_own(request: Request, app: App, caller: Caller, action: str) -> None:
    named = [name for name in request.path_params if name in ownership.OF_PARAMETERS]
    if not named or caller.user_id is None:
        raise Forbidden(f"this is about everybody's people, and {action} reaches only your own")
    for name in named:
        try:
            value = UUID(str(request.path_params[name]))
        except ValueError:
            raise NotFound("there is no such thing") from None
        async with transaction(app.engine) as conn:
            if not await ownership.is_own(conn, name, value, caller.user_id):
                raise NotFound(f"there is no such {name.removesuffix('_id')}")


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
    roles = tuple(role for role in (row["user_role"], row["role"]) if role is not None)
    return Caller(row["id"], row["name"], tuple(row["scopes"]), roles, row["user_id"])


def reach(scope: str, *, scoped: bool = False) -> params.Depends:
    """The dependency of a route that needs `scope`. Whoever reaches only their own people gets to
    a route that names one of them in its address, and to one that is `scoped`: it shows and changes
    only what `acting.only_own()` says."""
    made: params.Depends = Security(_authorize_scoped if scoped else _authorize, scopes=[scope])
    return made
