"""Say whose people somebody's are."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.errors import BadInput, NotFound
from orchestrator.store import history, ownership, users


async def assign_people(
    conn: AsyncConnection, *, prospect_ids: Sequence[UUID], owner_id: UUID | None, now: datetime
) -> int:
    """Make `owner_id` the owner of these prospects, None: nobody. How many that changed.

    Raises BadInput for an owner who cannot sign in, NotFound when one of the people is not there.
    """
    if owner_id is not None:
        owner = await users.by_id(conn, owner_id)
        if owner is None or owner["disabled_at"] is not None:
            raise BadInput("There is no such user, or they may not sign in.", field="owner")
    wanted = sorted(set(prospect_ids))
    if await ownership.lock(conn, wanted) != len(wanted):
        raise NotFound("There is no such prospect.")
    changed = await ownership.assign(conn, wanted, owner_id, now=now)
    for prospect_id in changed:
        said = str(owner_id) if owner_id else None
        await history.append(conn, "prospect.assigned", at=now, prospect_id=prospect_id, owner=said)
    return len(changed)
