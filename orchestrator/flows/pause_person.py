"""Pause a person: nothing automated leaves until sales ops resume them (L4)."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.errors import NotFound
from orchestrator.store import history, standing


async def pause_person(
    conn: AsyncConnection, *, prospect_id: UUID, now: datetime, reason: str = "by hand"
) -> bool:
    """Pause; False when paused already. Enrollments keep their place. Raises NotFound."""
    known = await standing.lock_prospects(conn, [prospect_id])
    if prospect_id not in known:
        raise NotFound("There is no such prospect.")
    if known[prospect_id]["paused_at"] is not None:
        return False
    await standing.set_prospect(conn, prospect_id, now=now, paused_at=now)
    await standing.release_messages(conn, prospect_id)
    await history.append(conn, "prospect.paused", at=now, prospect_id=prospect_id, reason=reason)
    return True
