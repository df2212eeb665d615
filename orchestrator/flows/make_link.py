"""Make a link that is good once, for somebody to set a password with."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.flows.opening import hash_of, new_token
from orchestrator.ids import uuid7
from orchestrator.rules.accounts import LINK_LIFE
from orchestrator.store import access_links


async def make_link(
    conn: AsyncConnection,
    *,
    kind: Literal["claim", "invite", "reset"],
    user_id: UUID | None,
    now: datetime,
) -> str:
    """The token of the link. Whatever unused one of this kind there was is worth nothing now."""
    token = new_token()
    await access_links.void(conn, kind=kind, user_id=user_id)
    await access_links.add(
        conn,
        id=uuid7(),
        kind=kind,
        user_id=user_id,
        token_hash=hash_of(token),
        created_at=now,
        expires_at=now + LINK_LIFE[kind],
    )
    return token
