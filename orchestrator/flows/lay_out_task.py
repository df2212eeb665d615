"""Lay out a task for whoever does it: what it is about, and how it can end."""

from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.flows.close_task import outcomes
from orchestrator.flows.lay_out_doubt import lay_out_doubt
from orchestrator.rules import mail_reading
from orchestrator.store import inbox, tasks, threads
from orchestrator.wiring import App


async def lay_out_task(app: App, conn: AsyncConnection, task_id: UUID) -> dict[str, Any] | None:
    """The task's row, with `answer` (subject, text) that is to be read, `doubt` as `lay_out_doubt`
    has it, and `outcomes`. None: there is no such task."""
    row = await tasks.get(conn, task_id)
    if row is None:
        return None
    about = row["message_id"] if row["kind"] == "in_doubt" else None
    doubt = await lay_out_doubt(app, conn, about) if about else None
    event = row["detail"].get("provider_event")
    stored = await inbox.get(conn, UUID(event)) if event else None
    sent = await threads.sent_texts(conn, row["prospect_id"]) if stored else []
    found = mail_reading.read(bytes(stored["raw"]), sent=sent) if stored else None
    answer = {"subject": found.subject, "text": found.text} if found else None
    return {**row, "answer": answer, "doubt": doubt, "outcomes": sorted(outcomes(row["kind"]))}
