"""An address that does not take mail: nothing automated is sent there any more (L4)."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.errors import NotFound
from orchestrator.flows import ending
from orchestrator.rules import gate
from orchestrator.store import history, identities_of, standing, suppressions, tasks


async def suppress_address(
    conn: AsyncConnection,
    *,
    identity_id: UUID,
    reason: str = "hard_bounce",
    now: datetime,
    message_id: UUID | None = None,
) -> bool:
    """Mark an identity as bounced and suppress the address, not the person.

    Where the person has another usable identity, their sequences that wrote to this one are held
    with a task `undeliverable`; where they have none, every running one stops. False when it had
    bounced before. Raises NotFound.
    """
    owner = await identities_of.owner(conn, identity_id)
    if owner is None or owner not in await standing.lock_prospects(conn, [owner]):
        raise NotFound("There is no such identity.")
    enrolled = await standing.lock_enrollments(conn, [owner])
    all_known = await identities_of.of_prospect(conn, owner)
    this = next(row for row in all_known if row["id"] == identity_id)
    await suppressions.add(
        conn,
        scope="address",
        channel=this["channel"],
        address_hash=this["address_hash"],
        reason=reason,
        now=now,
        prospect_id=owner,
    )
    if this["state"] == "bounced":
        return False
    await identities_of.mark_bounced(conn, identity_id)
    await history.append(
        conn,
        "identity.bounced",
        at=now,
        prospect_id=owner,
        message_id=message_id,
        identity=str(identity_id),
        reason=reason,
    )
    cancelled = await standing.cancel_messages(
        conn, prospect_id=owner, identity_id=identity_id, everything=True
    )
    await ending.note_cancelled(conn, cancelled, reason=reason, now=now)
    if any(row["state"] == "usable" and row["id"] != identity_id for row in all_known):
        wrote = await identities_of.enrollments_written_to(conn, identity_id)
        for row in enrolled:
            if row["id"] in wrote and row["state"] in gate.RUNNING:
                await _hold(conn, row, identity_id, now)
    else:
        await ending.end(conn, enrolled, reason=gate.UNDELIVERABLE, now=now)
    return True


async def _hold(conn: AsyncConnection, row: RowMapping, identity_id: UUID, now: datetime) -> None:
    await standing.hold_enrollments(conn, [row["id"]])
    await tasks.open_task(
        conn,
        kind="undeliverable",
        title="The address does not take mail: go on at another one, or stop?",
        prospect_id=row["prospect_id"],
        enrollment_id=row["id"],
        step=row["step"],
        detail={"identity": str(identity_id)},
        now=now,
    )
    await history.append(
        conn,
        "enrollment.held",
        at=now,
        prospect_id=row["prospect_id"],
        enrollment_id=row["id"],
        reason=gate.UNDELIVERABLE,
    )
