"""Make an API key; its secret is told once and never stored."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.db import is_constraint
from orchestrator.errors import BadInput, Conflict
from orchestrator.ids import uuid7
from orchestrator.rules import scopes as rules
from orchestrator.store import api_keys

PREFIX = "avk_"


@dataclass(frozen=True)
class NewKey:
    """A key with its secret: show it once."""

    id: UUID
    name: str
    scopes: list[str]
    secret: str


def hash_of(secret: str) -> bytes:
    """What is stored of a secret. It has 256 random bits, so that a plain hash is enough."""
    return sha256(secret.encode()).digest()


async def create_key(conn: AsyncConnection, *, name: str, scopes: Sequence[str]) -> NewKey:
    """Make a key. Raises BadInput for an unknown scope, Conflict for a name that is taken."""
    try:
        wanted = rules.check(scopes)
    except ValueError as error:
        raise BadInput(str(error)) from None
    if not name.strip():
        raise BadInput("a key needs a name: say who uses it")
    made = NewKey(uuid7(), name.strip(), wanted, PREFIX + secrets.token_urlsafe(32))
    try:
        await api_keys.add(
            conn, key_id=made.id, name=made.name, secret_hash=hash_of(made.secret), scopes=wanted
        )
    except IntegrityError as error:
        if is_constraint(error, "uq_api_keys_name"):
            raise Conflict(f"there is a key called {made.name} already") from None
        raise
    return made
