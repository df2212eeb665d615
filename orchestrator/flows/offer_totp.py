"""Offer a second factor: a secret that counts once a code of it was typed."""

import secrets
from uuid import UUID

from orchestrator.db import transaction
from orchestrator.errors import Conflict, NotFound
from orchestrator.store import users
from orchestrator.wiring import App

_BYTES = 20  # as long as the hash (RFC 4226, section 4, R6)


async def offer_totp(app: App, user_id: UUID, *, anew: bool = False) -> bytes:
    """The secret on offer, another one with `anew`. Raises Conflict where one counts already."""
    async with transaction(app.engine) as conn:
        user = await users.by_id(conn, user_id, lock=True)
        if user is None:
            raise NotFound("There is no such user.")
        if user["totp_secret"] is not None:
            raise Conflict("There is a second factor already: take it away first.")
        if user["totp_offered"] is not None and not anew:
            return bytes.fromhex(app.keys.unseal(user["totp_offered"])["totp"])
        secret = secrets.token_bytes(_BYTES)
        await users.change(conn, user_id, totp_offered=app.keys.seal({"totp": secret.hex()}))
    return secret
