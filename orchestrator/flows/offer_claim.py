"""Offer a fresh instance to whoever reads its terminal."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.flows.make_link import make_link
from orchestrator.store import users


async def offer_claim(conn: AsyncConnection, now: datetime) -> str | None:
    """The token of a link that makes its first user the admin; None once there is a user. An
    earlier one that nobody used is worth nothing from now on."""
    if await users.any_exists(conn):
        return None
    await users.lock_first(conn)
    if await users.any_exists(conn):
        return None
    return await make_link(conn, kind="claim", user_id=None, now=now)
