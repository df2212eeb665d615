"""The audit log: written by triggers and `acting`, read here."""

from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, Select, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator import acting
from orchestrator.models.accounts import audit


def _chosen(
    query: Select[Any], *, subject: str | None, actor: str | None, action: str | None
) -> Select[Any]:
    if subject is not None:
        query = query.where(audit.c.subject_id == subject)
    if actor is not None:
        query = query.where(func.lower(audit.c.actor_name) == actor.lower())
    if action is not None:
        query = query.where(audit.c.action == action)
    return query


async def lines(
    conn: AsyncConnection,
    *,
    limit: int,
    before: int | None = None,
    subject: str | None = None,
    actor: str | None = None,
    action: str | None = None,
) -> list[RowMapping]:
    """The newest lines, older than the line `before`, of this subject, actor or action."""
    query = _chosen(select(audit), subject=subject, actor=actor, action=action)
    if before is not None:
        query = query.where(audit.c.id < before)
    rows = await conn.execute(query.order_by(audit.c.id.desc()).limit(limit))
    return list(rows.mappings())


async def note(
    conn: AsyncConnection,
    actor: acting.Actor,
    action: str,
    *,
    subject: tuple[str, UUID] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    """Note what changes no row of interest: somebody signed in, or out."""
    await conn.execute(
        insert(audit).values(
            operation=actor.operation,
            actor_kind=actor.kind,
            actor_id=actor.id,
            actor_name=actor.name,
            action=action,
            subject_kind=subject[0] if subject else None,
            subject_id=str(subject[1]) if subject else None,
            after=after,
        )
    )
    await conn.execute(text("select set_config('avtale.audited', 'yes', true)"))


async def redact(conn: AsyncConnection, subject_ids: list[str]) -> int:
    """Take out what an erased person's lines say of them. Who did what and when stays."""
    made = await conn.execute(
        update(audit)
        .where(audit.c.subject_id.in_(subject_ids), audit.c.redacted_at.is_(None))
        .values(before=None, after=None, redacted_at=func.clock_timestamp())
    )
    return made.rowcount
