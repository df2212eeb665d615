"""The account that a key belongs to: what its owner may see and change of themselves."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field

from orchestrator.api.parts import Avtale, Caller, reach
from orchestrator.api.problems import responses
from orchestrator.api.routes.users import Role
from orchestrator.api.shapes import In, Name, Out, Short
from orchestrator.clock import real_now
from orchestrator.db import transaction
from orchestrator.errors import Conflict, NotFound
from orchestrator.flows.change_account import change_account
from orchestrator.flows.confirm_totp import confirm_totp
from orchestrator.flows.offer_totp import offer_totp
from orchestrator.flows.prove_password import prove_password
from orchestrator.flows.remove_totp import remove_totp
from orchestrator.rules import totp
from orchestrator.rules.accounts import SESSION_IDLE
from orchestrator.store import sessions, users

router = APIRouter(prefix="/api/account", tags=["account"])
Reads = Annotated[Caller, reach("account:read")]
Writes = Annotated[Caller, reach("account:write")]


class Account(Out):
    """Oneself."""

    id: UUID
    email: str
    name: str
    role: Role
    language: str | None
    theme: Literal["auto", "light", "dark"]
    has_totp: bool
    recovery_codes_left: int


class AccountChange(In):
    """What to change; the rest stays."""

    name: Name | None = None
    language: Literal["en", "nb"] | None = Field(None, description="null: what the browser asks")
    theme: Literal["auto", "light", "dark"] | None = None


class SignedInAt(Out):
    """A place where one is signed in to the console."""

    id: UUID
    address: str
    user_agent: str
    created_at: datetime
    seen_at: datetime
    expires_at: datetime


class Offer(Out):
    """The secret for an authenticator application, which counts once a code of it was sent."""

    secret: str
    address: str = Field(description="what a QR code carries (`otpauth:`)")


class Code(In):
    """What the authenticator application shows."""

    code: Short


class Password(In):
    """The password, again."""

    password: Short


class RecoveryCodes(Out):
    """Each is good once, in the place of a code. They are shown this once."""

    codes: list[str]


def _user(caller: Caller) -> UUID:
    if caller.user_id is None:
        raise Conflict("this key belongs to no user: `avtale key create NAME --user ADDRESS`")
    return caller.user_id


@router.get("", summary="Read one's account", responses=responses(404, 409))
async def get_account(app: Avtale, caller: Reads) -> Account:
    """Whose key this is."""
    async with transaction(app.engine) as conn:
        row = await users.by_id(conn, _user(caller))
        if row is None:
            raise NotFound("there is no such user")
        left = await users.codes_left(conn, row["id"])
    said = {"has_totp": row["totp_secret"] is not None, "recovery_codes_left": left}
    return Account.model_validate({**row, **said})


@router.patch("", summary="Change one's account", responses=responses(404, 409))
async def patch_account(app: Avtale, caller: Writes, body: AccountChange) -> Account:
    """Name, language and colours."""
    async with transaction(app.engine) as conn:
        await change_account(conn, user_id=_user(caller), **body.model_dump(exclude_unset=True))
    return await get_account(app, caller)


@router.get("/sessions", summary="List one's sessions", responses=responses(409))
async def list_sessions(app: Avtale, caller: Reads) -> list[SignedInAt]:
    """Where one is signed in, the last used first."""
    async with transaction(app.engine) as conn:
        now = await real_now(conn)
        rows = await sessions.of_user(conn, _user(caller))
    live = [r for r in rows if r["expires_at"] > now and now - r["seen_at"] < SESSION_IDLE]
    return [SignedInAt.model_validate(dict(row)) for row in live]


@router.post("/sign-out", status_code=204, summary="Sign out everywhere", responses=responses(409))
async def sign_out_everywhere(app: Avtale, caller: Writes) -> None:
    """End every session of one's own."""
    async with transaction(app.engine) as conn:
        await sessions.end_all(conn, _user(caller))


@router.post(
    "/sessions/{session_id}/end",
    status_code=204,
    summary="End one session",
    responses=responses(404, 409),
)
async def end_session(app: Avtale, caller: Writes, session_id: UUID) -> None:
    """Sign out on one machine."""
    async with transaction(app.engine) as conn:
        if not await sessions.end(conn, session_id, _user(caller)):
            raise NotFound("there is no such session of yours")


@router.post("/second-factor", summary="Offer a second factor", responses=responses(404, 409))
async def offer_second_factor(app: Avtale, caller: Writes) -> Offer:
    """A secret that counts once `/second-factor/confirm` has had a code of it."""
    user_id = _user(caller)
    async with transaction(app.engine) as conn:
        row = await users.by_id(conn, user_id)
    secret = await offer_totp(app, user_id)
    issuer = app.settings.organisation or "Avtale"
    address = totp.address(secret, account=row["email"] if row else "", issuer=issuer)
    return Offer(secret=totp.spelled(secret), address=address)


@router.post(
    "/second-factor/confirm", summary="Turn the second factor on", responses=responses(409, 429)
)
async def confirm_second_factor(app: Avtale, caller: Writes, body: Code) -> RecoveryCodes:
    """Ends every session in the console."""
    user_id = _user(caller)
    made = await confirm_totp(app, user_id=user_id, session_id=None, code=body.code)
    return RecoveryCodes(codes=made.codes)


@router.post(
    "/second-factor/remove",
    status_code=204,
    summary="Take the second factor away",
    responses=responses(404, 409, 429),
)
async def remove_second_factor(app: Avtale, caller: Writes, body: Password) -> None:
    """The password is asked for, as in the console."""
    user_id = _user(caller)
    await prove_password(app, user_id=user_id, password=body.password)
    async with transaction(app.engine) as conn:
        await remove_totp(conn, user_id=user_id)
