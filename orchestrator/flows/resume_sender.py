"""Let a paused or parked sender go on."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.store import history, senders


async def resume_sender(conn: AsyncConnection, *, name: str, now: datetime) -> bool:
    """Resume the sender called `name` and unpark its lane. False: it was not paused. Raises
    NotFound."""
    row = await senders.by_name(conn, name, lock=True)
    changed = await senders.resume(conn, row["id"])
    if changed:
        await history.append(conn, "sender.resumed", at=now, sender=str(row["id"]))
    return changed
