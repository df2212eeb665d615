"""Secrets that are shown once and kept as a hash: tokens of sessions and of links."""

import secrets
from datetime import datetime
from hashlib import sha256
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.ids import uuid7
from orchestrator.rules.accounts import HALF_SIGNED_IN, SESSION_LIFE
from orchestrator.store import sessions


def new_token() -> str:
    """256 random bits."""
    return secrets.token_urlsafe(32)


def hash_of(token: str) -> bytes:
    """What is kept of a token. Its randomness makes a plain hash enough."""
    return sha256(token.encode("utf-8", "replace")).digest()


async def open_session(
    conn: AsyncConnection,
    *,
    user_id: UUID,
    whole: bool,
    address: str,
    user_agent: str,
    now: datetime,
) -> str:
    """A new session; its token. Without `whole` it only reaches the question for a code."""
    token = new_token()
    await sessions.add(
        conn,
        id=uuid7(),
        user_id=user_id,
        token_hash=hash_of(token),
        stage="whole" if whole else "half",
        address=address[:64],
        user_agent=user_agent[:300].replace("\0", ""),
        created_at=now,
        seen_at=now,
        expires_at=now + (SESSION_LIFE if whole else HALF_SIGNED_IN),
    )
    return token


async def rotated(conn: AsyncConnection, *, session_id: UUID, user_id: UUID, now: datetime) -> str:
    """Another token for this session, and an end to the user's others: after a change of what
    they prove themselves with, nobody who knew an old token is still in. "" when it has ended."""
    token = new_token()
    await sessions.end_all(conn, user_id, but=session_id)
    alive = await sessions.rotate(
        conn, session_id, token_hash=hash_of(token), seen_at=now, stage="whole"
    )
    return token if alive else ""
