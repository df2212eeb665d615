"""The second factor: a code of the authenticator application, or a recovery code."""

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.acting import Actor, acts
from orchestrator.db import transaction
from orchestrator.errors import Unauthorized
from orchestrator.flows.find_session import Session
from orchestrator.flows.opening import hash_of as token_hash_of
from orchestrator.flows.opening import new_token
from orchestrator.flows.trying import count_tries
from orchestrator.keys import Keys
from orchestrator.rules import totp
from orchestrator.rules.accounts import SESSION_LIFE, TRIES_OF_ACCOUNT
from orchestrator.store import audit, sessions, tries, users
from orchestrator.wiring import App

WRONG = "This code is not right, or was used before."


@dataclass(frozen=True, slots=True)
class Through:
    """The new token of the session; how many recovery codes are left when one was used."""

    token: str
    codes_left: int | None


async def second_factor(app: App, session: Session, code: str) -> Through:
    """Make a half session whole, under another token. Each code is good once.

    Raises Unauthorized, TooManyTries.
    """
    now = await count_tries(app, ("code", str(session.user_id), TRIES_OF_ACCOUNT))
    with acts(Actor("user", session.user_id, session.email, "second_factor")) as actor:
        async with transaction(app.engine) as conn:
            user = await users.by_id(conn, session.user_id, lock=True)
            if user is None or user["totp_secret"] is None or user["disabled_at"] is not None:
                raise Unauthorized(WRONG, fault="code")
            left = await spend_code(conn, app.keys, user, code, now)
            token = new_token()
            values: dict[str, Any] = {
                "token_hash": token_hash_of(token),
                "stage": "whole",
                "seen_at": now,
                "expires_at": now + SESSION_LIFE,
            }
            if not await sessions.rotate(conn, session.id, **values):
                raise Unauthorized(WRONG, fault="code")
            await tries.forget(conn, app.keys.try_key("code", str(session.user_id)))
            said = {"by": "code" if left is None else "recovery code"}
            subject = ("users", session.user_id)
            await audit.note(conn, actor, "second_factor", subject=subject, after=said)
    return Through(token, left)


async def spend_code(
    conn: AsyncConnection, keys: Keys, user: RowMapping, code: str, now: datetime
) -> int | None:
    """Use the code up: None for one of the application, else how many recovery codes are left.

    Raises Unauthorized when it is neither.
    """
    secret = bytes.fromhex(keys.unseal(user["totp_secret"])["totp"])
    step = totp.step_of(secret, code, seconds=now.timestamp(), after=user["totp_step"])
    if step is not None and await users.use_step(conn, user["id"], step):
        return None
    if await users.use_code(conn, user["id"], recovery_hash(code), now):
        return await users.codes_left(conn, user["id"])
    raise Unauthorized(WRONG, fault="code")


def recovery_hash(code: str) -> bytes:
    """What is kept of a recovery code: 80 random bits make a plain hash enough."""
    plain = "".join(char for char in code.lower() if char.isalnum())
    return sha256(plain.encode("utf-8", "replace")).digest()
