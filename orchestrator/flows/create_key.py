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
from orchestrator.rules.access import ROLES
from orchestrator.store import api_keys, users

PREFIX = "avk_"


@dataclass(frozen=True)
class NewKey:
    """A key with its secret: show it once."""

    id: UUID
    name: str
    scopes: list[str]
    role: str
    secret: str


def hash_of(secret: str) -> bytes:
    """What is stored of a secret. It has 256 random bits, so that a plain hash is enough."""
    return sha256(secret.encode()).digest()


async def create_key(
    conn: AsyncConnection,
    *,
    name: str,
    scopes: Sequence[str],
    role: str = "ops",
    user_id: UUID | None = None,
) -> NewKey:
    """Make a key, that of a user where `user_id` says so: it never reaches further than they do.

    Raises BadInput for an unknown scope or role, Conflict for a name that is taken.
    """
    if role not in ROLES:
        raise BadInput(f"`{role}` is no role: {', '.join(ROLES)}.")
    if role == "rep" and user_id is None:
        raise BadInput("a key of the role rep sees the people of a rep: say whose")
    if user_id is not None and await users.by_id(conn, user_id) is None:
        raise BadInput("there is no such user")
    try:
        wanted = rules.check(scopes)
    except ValueError as error:
        raise BadInput(str(error)) from None
    if not name.strip():
        raise BadInput("a key needs a name: say who uses it")
    made = NewKey(uuid7(), name.strip(), wanted, role, PREFIX + secrets.token_urlsafe(32))
    try:
        await api_keys.add(
            conn,
            key_id=made.id,
            name=made.name,
            secret_hash=hash_of(made.secret),
            scopes=wanted,
            role=role,
            user_id=user_id,
        )
    except IntegrityError as error:
        if is_constraint(error, "uq_api_keys_name"):
            raise Conflict(f"there is a key called {made.name} already") from None
        raise
    return made
