"""An automatic reply says that the person is away, or has left: what becomes of their sequences."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.flows import ending
from orchestrator.flows.snooze_person import snooze_locked
from orchestrator.rules import gate
from orchestrator.rules.mail_reading import Reading
from orchestrator.rules.matching import Match
from orchestrator.store import standing, tasks


async def heed_absence(
    conn: AsyncConnection, reading: Reading, found: Match, now: datetime
) -> None:
    """Move what is due before the day of return to that day, which the window then narrows; stop
    the sequences of somebody who has left, with a task that names whom to write to instead. Only
    the person's own mailbox is believed, and nothing ever moves to an earlier time."""
    absence = reading.absence
    if absence is None or found.writer != "theirs":
        return
    people = await standing.lock_prospects(conn, [found.prospect_id])
    person = people.get(found.prospect_id)
    if person is None or person["opted_out_at"] is not None:
        return
    if absence.gone:
        await _gone(conn, absence.instead, found, now)
    elif absence.returns is not None:
        back = gate.start_of_day(absence.returns, person["zone"])
        if back > max(now, person["not_before"] or now):
            await snooze_locked(conn, person["id"], back, now)


async def _gone(
    conn: AsyncConnection, instead: tuple[str, ...], found: Match, now: datetime
) -> None:
    enrolled = await standing.lock_enrollments(conn, [found.prospect_id])
    running = [row for row in enrolled if row["state"] in gate.RUNNING]
    if not running:
        return
    await ending.end(conn, running, reason=gate.GONE, now=now)
    named = ", ".join(instead[:5])
    await tasks.open_task(
        conn,
        kind="gone",
        title="No longer with the company" + (f"; they name {named}" if named else ""),
        prospect_id=found.prospect_id,
        message_id=found.message_id,
        detail={"instead": list(instead)},
        now=now,
    )
