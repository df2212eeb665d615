"""Stop a sender: nothing leaves by it until it is resumed."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.store import history, senders


async def pause_sender(conn: AsyncConnection, *, name: str, reason: str, now: datetime) -> bool:
    """Pause the sender called `name`, its row locked first: a message at the point of no return
    goes before or not at all (L4). False: it was paused already. Raises NotFound."""
    row = await senders.by_name(conn, name, lock=True)
    changed = await senders.pause(conn, row["id"], reason=reason, now=now)
    if changed:
        await history.append(
            conn, "sender.paused", at=now, sender=str(row["id"]), reason=reason[:200]
        )
    return changed
