"""Ask a person about a message that could have left long ago: send it, skip it, or stop (B10)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.rules.outgoing import own_step
from orchestrator.store import standing, tasks


async def ask_about_late(conn: AsyncConnection, row: Mapping[str, Any], now: datetime) -> None:
    """Hold the enrollment of a claimed candidate and open the task. The claim holds both rows."""
    await standing.hold_enrollments(conn, [row["enrollment_id"]])
    await tasks.open_task(
        conn,
        kind="late",
        title=f"It could have left since {row['due_at']:%Y-%m-%d %H:%M} UTC: send it now?",
        prospect_id=row["prospect_id"],
        enrollment_id=row["enrollment_id"],
        message_id=row["id"],
        step=own_step(row["kind"], row["step"]),
        detail={"reason": "late", "due": row["due_at"].isoformat()},
        now=now,
    )
