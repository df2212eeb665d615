"""Find the session that a cookie stands for."""

from dataclasses import dataclass
from datetime import datetime
from hmac import compare_digest
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.flows.opening import hash_of
from orchestrator.rules.accounts import SEEN_EVERY, session_over
from orchestrator.store import sessions


@dataclass(frozen=True, slots=True)
class Session:
    """Who is signed in. Without `whole` the second factor is still to come."""

    id: UUID
    user_id: UUID
    email: str
    name: str
    role: str
    language: str | None
    theme: str
    whole: bool
    token_hash: bytes


async def find_session(conn: AsyncConnection, token: str, now: datetime) -> Session | None:
    """The live session of this token, None for anything else. That it was used is noted, at most
    once a minute."""
    wanted = hash_of(token)
    row = await sessions.by_hash(conn, wanted)
    if row is None or not compare_digest(row["token_hash"], wanted):
        return None
    if session_over(now=now, seen_at=row["seen_at"], expires_at=row["expires_at"]):
        return None
    if now - row["seen_at"] >= SEEN_EVERY:
        await sessions.touch(conn, row["id"], now)
    return Session(
        id=row["id"],
        user_id=row["user_id"],
        email=row["email"],
        name=row["name"],
        role=row["role"],
        language=row["language"],
        theme=row["theme"],
        whole=row["stage"] == "whole",
        token_hash=row["token_hash"],
    )
