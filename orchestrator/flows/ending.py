"""The hands that every stop shares: end locked enrollments, cancel what has not left."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.rules import gate
from orchestrator.store import history, standing, tasks


async def end(
    conn: AsyncConnection,
    rows: Sequence[RowMapping],
    *,
    reason: str,
    now: datetime,
    answered: bool = False,
) -> None:
    """Stop those of these locked enrollments that run: their messages, tasks and due times."""
    running = [row for row in rows if row["state"] in gate.RUNNING]
    if not running:
        return
    ids = [row["id"] for row in running]
    await standing.end_enrollments(conn, ids, reason=reason, now=now, answered=answered)
    await cancel(conn, ids, reason=reason, now=now)
    for row in running:
        await history.append(
            conn,
            "enrollment.stopped",
            at=now,
            prospect_id=row["prospect_id"],
            enrollment_id=row["id"],
            reason=reason,
        )


async def cancel(
    conn: AsyncConnection, enrollment_ids: Sequence[UUID], *, reason: str, now: datetime
) -> None:
    """Cancel the unsent messages and the open tasks of locked enrollments."""
    cancelled = await standing.cancel_messages(conn, enrollment_ids=enrollment_ids)
    await note_cancelled(conn, cancelled, reason=reason, now=now)
    await tasks.cancel_of_enrollments(conn, enrollment_ids, now=now)


async def note_cancelled(
    conn: AsyncConnection, cancelled: Sequence[RowMapping], *, reason: str, now: datetime
) -> None:
    """One line of history for each cancelled message."""
    for row in cancelled:
        await history.append(
            conn,
            "message.cancelled",
            at=now,
            prospect_id=row["prospect_id"],
            enrollment_id=row["enrollment_id"],
            message_id=row["id"],
            step=row["step"],
            reason=reason,
        )
