"""Sign in with address and password."""

from dataclasses import dataclass
from typing import Any

from orchestrator import passwords
from orchestrator.acting import Actor, acts
from orchestrator.db import transaction
from orchestrator.errors import Unauthorized
from orchestrator.flows.opening import hash_of, open_session
from orchestrator.flows.trying import count_tries
from orchestrator.rules.accounts import SESSION_IDLE, TRIES_OF_ACCOUNT, TRIES_OF_ADDRESS, folded
from orchestrator.store import audit, sessions, tries, users
from orchestrator.wiring import App

WRONG = "The address or the password is not right."


@dataclass(frozen=True, slots=True)
class SignedIn:
    """The token of the new session. Without `whole` a code of the second factor is still asked."""

    token: str
    whole: bool


async def sign_in(
    app: App,
    *,
    email: str,
    password: str,
    address: str,
    user_agent: str,
    old_token: str | None = None,
) -> SignedIn:
    """A session of its own, never one that was there before (`old_token` ends).

    The same words and the same work whether the account is unknown, disabled, has no password yet
    or the password is wrong. Raises Unauthorized, TooManyTries.
    """
    try:
        wanted = folded(email)
    except ValueError:
        wanted = email[:254].casefold().replace("\0", "")
    limits = ("account", wanted, TRIES_OF_ACCOUNT), ("address", address, TRIES_OF_ADDRESS)
    now = await count_tries(app, *limits)
    async with transaction(app.engine) as conn:
        user = await users.by_email(conn, wanted)
    known = user is not None and user["disabled_at"] is None
    kept = user["password_hash"] if user is not None and known else None
    if not await passwords.fits(password, kept) or user is None:
        raise Unauthorized(WRONG, fault="wrong")
    values: dict[str, Any] = {"signed_in_at": now}
    if passwords.is_dated(kept or ""):
        values["password_hash"] = await passwords.hashed(password)
    with acts(Actor("user", user["id"], user["email"], "sign_in")) as actor:
        async with transaction(app.engine) as conn:
            still = await users.by_id(conn, user["id"], lock=True)
            if still is None or still["disabled_at"] or still["password_hash"] != kept:
                raise Unauthorized(WRONG, fault="wrong")
            await users.change(conn, user["id"], **values)
            await tries.forget(conn, app.keys.try_key("account", wanted))
            await tries.drop_old(conn, now)
            await sessions.drop_over(conn, now, now - SESSION_IDLE)
            if old_token:
                await sessions.end_by_hash(conn, hash_of(old_token))
            whole = still["totp_secret"] is None
            token = await open_session(
                conn,
                user_id=user["id"],
                whole=whole,
                address=address,
                user_agent=user_agent,
                now=now,
            )
            said = {"from": address, "second_factor": "none" if whole else "asked"}
            await audit.note(conn, actor, "sign_in", subject=("users", user["id"]), after=said)
    return SignedIn(token, whole)
