"""Not now: nothing leaves to a person before a date that they or sales ops chose."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.errors import BadInput, NotFound
from orchestrator.store import history, standing


async def snooze_person(
    conn: AsyncConnection, *, prospect_id: UUID, until: datetime, now: datetime
) -> None:
    """Move everything of a person that is due before `until` to then. A later snooze replaces an
    earlier one. Raises NotFound, and BadInput when `until` is past."""
    if until <= now:
        raise BadInput("Choose a date that is still to come.")
    if prospect_id not in await standing.lock_prospects(conn, [prospect_id]):
        raise NotFound("There is no such prospect.")
    await snooze_locked(conn, prospect_id, until, now)


async def snooze_locked(
    conn: AsyncConnection, prospect_id: UUID, until: datetime, now: datetime
) -> None:
    """The same for a prospect whose row this transaction has locked."""
    await standing.lock_enrollments(conn, [prospect_id])
    await standing.set_prospect(conn, prospect_id, now=now, not_before=until)
    await standing.release_messages(conn, prospect_id)
    await standing.postpone(conn, prospect_id, until=until)
    await history.append(
        conn, "prospect.snoozed", at=now, prospect_id=prospect_id, until=until.isoformat()
    )
