"""Write down that something old reads otherwise now, and do what that may do."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.flows.engage import engage
from orchestrator.keys import Keys
from orchestrator.rules import gate
from orchestrator.rules.rereading import Change
from orchestrator.store import engagements, history, rereading, standing, tasks

REREAD = "reread"


async def revise(
    conn: AsyncConnection,
    keys: Keys,
    event: RowMapping,
    change: Change,
    *,
    reasons: tuple[str, ...],
    happened_at: datetime,
    now: datetime,
    message_id: UUID | None = None,
    until: date | None = None,
) -> UUID:
    """Append the verdict that replaces the one that stood; nothing is taken back in silence.

    `note` and `act` go through the gate as if the event came now, but what the person said since
    outweighs it. `ask` and `doubt` hold what runs until one of us has read it: an unlock stays, and
    so does a booking. Returns the engagement.
    """
    was, said = change.was, change.now
    if was is not None:
        await rereading.overtake_tasks(conn, was.engagement, now=now)
    message = message_id or event["message_id"]
    if change.does in ("note", "act"):
        return await engage(
            conn,
            keys,
            prospect_id=change.prospect,
            kind=said.kind,
            grade=said.grade,
            meaning=said.meaning,
            until=until,
            reasons=(*reasons, REREAD),
            message_id=message,
            provider_event_id=event["id"],
            happened_at=happened_at,
            now=now,
            revises=was.engagement if was else None,
            stamped=True,
        )
    return await _hold(conn, event, change, reasons, message, happened_at, now)


async def _hold(
    conn: AsyncConnection,
    event: RowMapping,
    change: Change,
    reasons: tuple[str, ...],
    message_id: UUID | None,
    happened_at: datetime,
    now: datetime,
) -> UUID:
    was, said = change.was, change.now
    await standing.lock_prospects(conn, [change.prospect])
    enrolled = await standing.lock_enrollments(conn, [change.prospect])
    unlock = None
    if was is not None and was.opened:
        whole = await rereading.chain(conn, was.engagement)
        unlock = await rereading.opened_by(conn, [row["id"] for row in whole])
    about = await _enrollment(conn, message_id, unlock)
    made = await engagements.add(
        conn,
        prospect_id=change.prospect,
        kind=said.kind,
        grade=said.grade,
        meaning=said.meaning,
        reasons=(*reasons, REREAD),
        happened_at=happened_at,
        now=now,
        enrollment_id=about,
        message_id=message_id,
        provider_event_id=event["id"],
        revises=was.engagement if was else None,
    )
    await history.append(
        conn,
        "engagement.recorded",
        at=now,
        prospect_id=change.prospect,
        enrollment_id=about,
        message_id=message_id,
        engagement=str(made),
        engaged_by=said.kind,
        grade=said.grade,
        meaning=said.meaning,
        action=change.does,
        reason=REREAD,
    )
    booked = unlock is not None and unlock["booked"]
    running = [row for row in enrolled if row["state"] in gate.RUNNING and not booked]
    if running:
        await standing.hold_enrollments(conn, [row["id"] for row in running])
        await standing.release_messages(conn, change.prospect)
    step = next((row["step"] for row in enrolled if row["id"] == about), None)
    await _ask(conn, event, change, made, about, step, message_id, now)
    return made


async def _enrollment(
    conn: AsyncConnection, message_id: UUID | None, unlock: RowMapping | None
) -> UUID | None:
    if unlock is not None:
        return UUID(str(unlock["enrollment_id"]))
    return await engagements.enrollment_of_message(conn, message_id) if message_id else None


async def _ask(
    conn: AsyncConnection,
    event: RowMapping,
    change: Change,
    made: UUID,
    enrollment_id: UUID | None,
    step: str | None,
    message_id: UUID | None,
    now: datetime,
) -> None:
    """A task for one of us: what it reads as now, and whether an open call may stay open."""
    doubt = change.does == "doubt"
    title = "Read the answer: read again, it says something else"
    if doubt:
        title = f"A call was opened by what now reads as {change.now}: may it stay open?"
    await tasks.open_task(
        conn,
        kind="revised_unlock" if doubt else "unclear_answer",
        title=title,
        prospect_id=change.prospect,
        enrollment_id=enrollment_id,
        message_id=message_id,
        step=step,
        detail={
            "engagement": str(made),
            "kind": change.now.kind,
            "meaning": change.now.meaning,
            "was": str(change.was.said) if change.was else None,
            "reason": REREAD,
            "provider_event": str(event["id"]),
        },
        now=now,
    )
