"""Something came back for a message in doubt: then it has left, and the sequence may go on."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.flows import going_on
from orchestrator.rules.outgoing import own_step
from orchestrator.store import history, messages, standing, tasks


async def note_evidence(conn: AsyncConnection, message_id: UUID, kind: str, now: datetime) -> bool:
    """Settle the doubt about a message by `kind` of evidence. False: it was not in doubt."""
    owner = await messages.owner(conn, message_id)
    if owner is None:
        return False
    person = (await standing.lock_prospects(conn, [owner]))[owner]
    row = await messages.settle_by_evidence(conn, message_id, evidence=kind, now=now)
    if row is None:
        return False
    await history.append(
        conn,
        "message.sent",
        at=now,
        prospect_id=owner,
        enrollment_id=row["enrollment_id"],
        message_id=message_id,
        by=f"evidence: {kind}",
    )
    await tasks.cancel_doubt(conn, message_id, now=now)
    for enrolled in await standing.lock_enrollments(conn, [owner]):
        step = own_step(row["kind"], row["step"])
        stands = enrolled["state"] == "sending" and enrolled["step"] == step
        if enrolled["id"] == row["enrollment_id"] and stands:
            if row["kind"] == "request":
                await going_on.await_admission(conn, enrolled, now=now)
            else:
                await going_on.next_step(conn, enrolled, person, now=now)
    await going_on.go_on_all(conn, owner, person, now=now)  # what only the doubt kept held
    return True
