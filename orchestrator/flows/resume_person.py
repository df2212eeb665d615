"""Let a paused person's sequences go on."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.errors import NotFound
from orchestrator.store import history, leases, standing


async def resume_person(conn: AsyncConnection, *, prospect_id: UUID, now: datetime) -> bool:
    """Undo a pause; False when not paused. An opt-out stays. Raises NotFound."""
    known = await standing.lock_prospects(conn, [prospect_id])
    if prospect_id not in known:
        raise NotFound("There is no such prospect.")
    if known[prospect_id]["paused_at"] is None:
        return False
    await standing.set_prospect(conn, prospect_id, now=now, paused_at=None)
    await leases.wake(conn, now=now, prospect=prospect_id)
    await history.append(conn, "prospect.resumed", at=now, prospect_id=prospect_id)
    return True
