"""Something came back for a message: then it has left, and a doubt about it ends."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.flows import going_on
from orchestrator.rules.outgoing import own_step
from orchestrator.store import doubts, history, messages, standing, tasks

# What never ends in `sent`: kept for whoever asks why (L7).
_KEPT = frozenset({"sending", "abandoned"})


async def note_evidence(conn: AsyncConnection, message_id: UUID, kind: str, now: datetime) -> bool:
    """Settle the doubt about a message by `kind` of evidence. False: there is none to settle.

    Evidence may come before the doubt, while nobody knows yet that the worker is gone: it is kept,
    and settles the doubt when it comes (`reconcile`). It may come after somebody decided to send
    the message again: then that attempt is stopped, unless it has passed the point of no return.
    """
    owner = await messages.owner(conn, message_id)
    if owner is None:
        return False
    person = (await standing.lock_prospects(conn, [owner]))[owner]
    row = await messages.settle_by_evidence(conn, message_id, evidence=kind, now=now)
    if row is None:
        row = await doubts.overtake(conn, message_id, evidence=kind, now=now)
    if row is None:
        await keep_evidence(conn, message_id, kind, now)
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


async def keep_evidence(conn: AsyncConnection, message_id: UUID, kind: str, now: datetime) -> None:
    """Note evidence about a message without settling anything: the reconciler does, under locks
    that the caller may not be able to take in their order."""
    row = await messages.get(conn, message_id)
    if row is None or row["handed_at"] is None or row["state"] not in {*_KEPT, "in_doubt"}:
        return
    await history.append(
        conn,
        "message.evidence",
        at=now,
        prospect_id=row["prospect_id"],
        enrollment_id=row["enrollment_id"],
        message_id=message_id,
        evidence=kind,
    )
