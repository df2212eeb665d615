"""Turn the offered second factor on."""

import base64
import secrets
from dataclasses import dataclass
from uuid import UUID

from orchestrator.db import transaction
from orchestrator.errors import BadInput, Conflict
from orchestrator.flows.opening import rotated
from orchestrator.flows.second_factor import recovery_hash
from orchestrator.flows.trying import count_tries
from orchestrator.rules import totp
from orchestrator.rules.accounts import TRIES_OF_ACCOUNT
from orchestrator.store import users
from orchestrator.wiring import App

CODES = 10


@dataclass(frozen=True, slots=True)
class TurnedOn:
    """Recovery codes, shown this once; the session's new token ("" without a session)."""

    codes: list[str]
    token: str


async def confirm_totp(app: App, *, user_id: UUID, session_id: UUID | None, code: str) -> TurnedOn:
    """A code shows that the application has the secret. Ends the user's other sessions.

    Raises BadInput for a wrong code, Conflict when none was offered, TooManyTries.
    """
    now = await count_tries(app, ("code", str(user_id), TRIES_OF_ACCOUNT))
    async with transaction(app.engine) as conn:
        user = await users.by_id(conn, user_id, lock=True)
        if user is None or user["totp_offered"] is None:
            raise Conflict("No second factor is on offer: begin again.")
        secret = bytes.fromhex(app.keys.unseal(user["totp_offered"])["totp"])
        step = totp.step_of(secret, code, seconds=now.timestamp(), after=None)
        if step is None:
            raise BadInput("This code is not right.", field="code", fault="code")
        codes = [_code() for _ in range(CODES)]
        sealed = user["totp_offered"]
        await users.change(conn, user_id, totp_secret=sealed, totp_offered=None, totp_step=step)
        await users.put_codes(conn, user_id, map(recovery_hash, codes))
        if session_id is None:
            return TurnedOn(codes, "")
        token = await rotated(conn, session_id=session_id, user_id=user_id, now=now)
    return TurnedOn(codes, token)


def _code() -> str:
    plain = base64.b32encode(secrets.token_bytes(10)).decode().lower()
    return "-".join(plain[at : at + 4] for at in range(0, 16, 4))
