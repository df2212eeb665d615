"""Remember where a provider keeps a conversation, and whether the person has let us in."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from channels.base import Sent
from orchestrator.store import connections


async def note_connection(
    conn: AsyncConnection,
    result: Sent,
    *,
    kind: str,
    identity_id: UUID,
    prospect_id: UUID,
    sender_id: UUID,
    now: datetime,
) -> None:
    """Write what a result says of the connection of a sender and an address.

    A request leaves it `invited`, unless the provider said that none was needed, or an acceptance
    came before the provider's own answer: then what waited for it is looked at now.
    """
    asked = kind == "request" and not result.connected
    await connections.note(
        conn,
        identity_id=identity_id,
        prospect_id=prospect_id,
        sender_id=sender_id,
        state="invited" if asked else "connected",
        now=now,
        user_ref=result.user_ref,
        thread_ref=result.thread_ref,
        request_ref=result.request_ref,
    )
    if kind == "request":
        await connections.admit_if_connected(
            conn, identity_id=identity_id, prospect_id=prospect_id, sender_id=sender_id, now=now
        )
