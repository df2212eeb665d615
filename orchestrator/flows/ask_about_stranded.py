"""Ask a person about every enrollment that stands still: nothing is lost in silence (L3, L7)."""

from datetime import datetime, timedelta

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.db import transaction
from orchestrator.store import history, standing, stranded, tasks
from orchestrator.wiring import App

# An outcome and what follows from it are two transactions: the second one gets this long.
GRACE = timedelta(minutes=2)
IN_DOUBT = "It is not known whether this message left"


async def ask_about_stranded(app: App, now: datetime) -> int:
    """Open a task for each enrollment that waits for a message which is over, or is held while no
    task says why. A process that dies between an outcome and its consequence leaves one; so does a
    suppression that only the claim finds. Returns how many tasks were opened."""
    async with transaction(app.engine) as conn:
        found = await stranded.find(conn, now=now, grace=GRACE)
    asked = 0
    for prospect_id in dict.fromkeys(row["prospect_id"] for row in found):
        async with transaction(app.engine) as conn:
            await standing.lock_prospects(conn, [prospect_id])
            await standing.lock_enrollments(conn, [prospect_id])
            still = await stranded.find(conn, now=now, grace=GRACE, prospect_id=prospect_id)
            for row in still:
                asked += await _ask(conn, row, now)
    return asked


async def _ask(conn: AsyncConnection, row: RowMapping, now: datetime) -> bool:
    doubt = row["state"] == "sending" and row["message_state"] == "in_doubt"
    over = f"its message is {row['message_state']}" if row["message_state"] else "it has no message"
    opened = await tasks.open_task(
        conn,
        kind="in_doubt" if doubt else "stranded",
        title=IN_DOUBT if doubt else f"The sequence stands still ({over}): go on, or stop?",
        prospect_id=row["prospect_id"],
        enrollment_id=row["id"],
        message_id=row["message_id"],
        step=row["step"],
        detail={"message_state": row["message_state"]},
        now=now,
    )
    if opened is None:
        return False
    if not doubt:
        await standing.hold_enrollments(conn, [row["id"]])
    await history.append(
        conn,
        "enrollment.stranded",
        at=now,
        prospect_id=row["prospect_id"],
        enrollment_id=row["id"],
        message_id=row["message_id"],
        was=row["state"],
        message_state=row["message_state"],
    )
    return True
