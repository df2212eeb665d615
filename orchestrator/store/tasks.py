"""Tasks: work for a person."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.ids import uuid7
from orchestrator.models.people import prospects
from orchestrator.models.work import tasks
from orchestrator.store import history


async def open_task(
    conn: AsyncConnection,
    *,
    kind: str,
    title: str,
    prospect_id: UUID | None,
    enrollment_id: UUID | None = None,
    message_id: UUID | None = None,
    step: str | None = None,
    detail: dict[str, Any],
    now: datetime,
) -> UUID | None:
    """Open a task; None when the same one (enrollment, step, kind) is open already. An answer that
    is to be read is never the same as another one."""
    made = await conn.execute(
        insert(tasks)
        .values(
            id=uuid7(),
            kind=kind,
            title=title,
            prospect_id=prospect_id,
            enrollment_id=enrollment_id,
            message_id=message_id,
            step=step,
            detail=detail,
            created_at=now,
        )
        .on_conflict_do_nothing()
        .returning(tasks.c.id)
    )
    opened: UUID | None = made.scalar_one_or_none()
    if opened is not None:
        await history.append(
            conn,
            "task.opened",
            at=now,
            prospect_id=prospect_id,
            enrollment_id=enrollment_id,
            message_id=message_id,
            task=str(opened),
            task_kind=kind,
            step=step,
        )
    return opened


async def get(conn: AsyncConnection, task_id: UUID, *, lock: bool = False) -> RowMapping | None:
    """One task. `lock` takes its row; the prospect's row must be locked before."""
    query = select(tasks).where(tasks.c.id == task_id)
    found = await conn.execute(query.with_for_update(key_share=True) if lock else query)
    return found.mappings().one_or_none()


async def open_tasks(
    conn: AsyncConnection, *, kind: str | None = None, limit: int = 200
) -> Sequence[RowMapping]:
    """What is to be done, oldest first, with the name of `who` it is about."""
    name = func.concat_ws(" ", prospects.c.first_name, prospects.c.last_name)
    query = (
        select(tasks, func.trim(name).label("who"))
        .join(prospects, prospects.c.id == tasks.c.prospect_id, isouter=True)
        .where(tasks.c.state == "open")
        .order_by(tasks.c.created_at, tasks.c.id)
    )
    if kind is not None:
        query = query.where(tasks.c.kind == kind)
    return (await conn.execute(query.limit(limit))).mappings().all()


async def mark(
    conn: AsyncConnection, task_id: UUID, *, state: str, outcome: str | None, now: datetime
) -> bool:
    """Close an open task as `done` or `cancelled`. False when it was closed before."""
    changed = await conn.execute(
        update(tasks)
        .where(tasks.c.id == task_id, tasks.c.state == "open")
        .values(state=state, outcome=outcome, closed_at=now)
    )
    return changed.rowcount == 1


async def cancel_of_enrollments(
    conn: AsyncConnection, enrollment_ids: Sequence[UUID], *, now: datetime
) -> int:
    """Cancel every open task of these enrollments. What is in doubt stays open: it is about a
    message that may have left, which an answer does not settle."""
    changed = await conn.execute(
        update(tasks)
        .where(
            tasks.c.enrollment_id.in_(enrollment_ids),
            tasks.c.state == "open",
            tasks.c.kind != "in_doubt",
        )
        .values(state="cancelled", closed_at=now)
    )
    return changed.rowcount


async def cancel_unclear(conn: AsyncConnection, prospect_id: UUID, *, now: datetime) -> int:
    """Cancel the open questions about this person's answers: a later answer settled them."""
    changed = await conn.execute(
        update(tasks)
        .where(
            tasks.c.prospect_id == prospect_id,
            tasks.c.state == "open",
            tasks.c.kind == "unclear_answer",
        )
        .values(state="cancelled", closed_at=now)
    )
    return changed.rowcount


async def cancel_doubt(conn: AsyncConnection, message_id: UUID, *, now: datetime) -> int:
    """Cancel the open question whether a message has left: evidence answered it."""
    changed = await conn.execute(
        update(tasks)
        .where(
            tasks.c.message_id == message_id,
            tasks.c.state == "open",
            tasks.c.kind == "in_doubt",
        )
        .values(state="cancelled", closed_at=now)
    )
    return changed.rowcount


async def blocking(conn: AsyncConnection, prospect_id: UUID) -> tuple[set[UUID], bool]:
    """Enrollments with an open task of their own, and whether an answer is still unread."""
    rows = await conn.execute(
        select(tasks.c.enrollment_id, tasks.c.kind).where(
            tasks.c.prospect_id == prospect_id, tasks.c.state == "open"
        )
    )
    found = rows.all()
    own = {row.enrollment_id for row in found if row.enrollment_id is not None}
    return own, any(row.kind == "unclear_answer" for row in found)
