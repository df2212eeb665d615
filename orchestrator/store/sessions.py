"""Sessions of the console: found by the hash of their token."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.models.accounts import sessions, users

SHOWN = (
    sessions.c.id,
    sessions.c.stage,
    sessions.c.address,
    sessions.c.user_agent,
    sessions.c.created_at,
    sessions.c.seen_at,
    sessions.c.expires_at,
)


async def add(conn: AsyncConnection, **values: Any) -> None:
    """Insert one session."""
    await conn.execute(insert(sessions).values(**values))


async def by_hash(conn: AsyncConnection, token_hash: bytes) -> RowMapping | None:
    """The session with its user, while the user may sign in. Whether it is over is not asked."""
    rows = await conn.execute(
        select(
            *SHOWN,
            sessions.c.token_hash,
            users.c.id.label("user_id"),
            users.c.email,
            users.c.name,
            users.c.role,
            users.c.language,
            users.c.theme,
        )
        .join(users, users.c.id == sessions.c.user_id)
        .where(sessions.c.token_hash == token_hash, users.c.disabled_at.is_(None))
    )
    return rows.mappings().first()


async def of_user(conn: AsyncConnection, user_id: UUID) -> list[RowMapping]:
    """The sessions of a user, the last used first."""
    rows = await conn.execute(
        select(*SHOWN)
        .where(sessions.c.user_id == user_id, sessions.c.stage == "whole")
        .order_by(sessions.c.seen_at.desc(), sessions.c.id)
    )
    return list(rows.mappings())


async def touch(conn: AsyncConnection, session_id: UUID, now: datetime) -> None:
    """Note that a session was used."""
    await conn.execute(update(sessions).where(sessions.c.id == session_id).values(seen_at=now))


async def rotate(conn: AsyncConnection, session_id: UUID, **values: Any) -> bool:
    """Give a session another token. False when it has ended meanwhile."""
    made = await conn.execute(update(sessions).where(sessions.c.id == session_id).values(**values))
    return made.rowcount == 1


async def end(conn: AsyncConnection, session_id: UUID, user_id: UUID) -> bool:
    """End one session of this user."""
    made = await conn.execute(
        delete(sessions).where(sessions.c.id == session_id, sessions.c.user_id == user_id)
    )
    return made.rowcount == 1


async def end_by_hash(conn: AsyncConnection, token_hash: bytes) -> None:
    """End the session of a token, if there is one."""
    await conn.execute(delete(sessions).where(sessions.c.token_hash == token_hash))


async def end_all(conn: AsyncConnection, user_id: UUID, *, but: UUID | None = None) -> int:
    """End every session of this user, `but` one. How many there were."""
    condition = sessions.c.user_id == user_id
    if but is not None:
        condition &= sessions.c.id != but
    return (await conn.execute(delete(sessions).where(condition))).rowcount


async def drop_over(conn: AsyncConnection, now: datetime, idle_since: datetime) -> int:
    """Take away the sessions that are over. How many there were."""
    over = (sessions.c.expires_at <= now) | (sessions.c.seen_at <= idle_since)
    return (await conn.execute(delete(sessions).where(over))).rowcount
