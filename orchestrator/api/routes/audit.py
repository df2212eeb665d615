"""The audit log: who changed what, with before and after."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import Field

from orchestrator.api.parts import Avtale, reach
from orchestrator.api.shapes import Out
from orchestrator.db import transaction
from orchestrator.store import audit

router = APIRouter(prefix="/api/audit", tags=["audit"])
_Text = Annotated[str | None, Query(max_length=300, pattern=r"^[^\x00]*$")]


class AuditLine(Out):
    """One change. Lines of one `operation` were done by one request or command."""

    id: int
    at: datetime
    operation: UUID
    actor_kind: Literal["user", "key", "cli", "link"]
    actor_id: UUID | None
    actor_name: str
    action: str
    subject_kind: str | None
    subject_id: str | None
    before: dict[str, Any] | None = Field(description="of a change: only what changed")
    after: dict[str, Any] | None
    redacted_at: datetime | None = Field(description="an erasure took the values out")


class AuditPage(Out):
    """Some of the lines, and how to ask for those that are older."""

    items: list[AuditLine]
    next: int | None = Field(description="`before` of the next page; null on the last one")


@router.get("", dependencies=[reach("audit:read")], summary="Read the audit log")
async def read_audit(
    app: Avtale,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    before: Annotated[int | None, Query(ge=0, le=2**62)] = None,
    subject_id: _Text = None,
    actor: _Text = None,
    action: _Text = None,
) -> AuditPage:
    """The newest first."""
    async with transaction(app.engine) as conn:
        rows = await audit.lines(
            conn, limit=limit + 1, before=before, subject=subject_id, actor=actor, action=action
        )
    items = [AuditLine.model_validate(dict(row)) for row in rows[:limit]]
    return AuditPage(items=items, next=items[-1].id if len(rows) > limit else None)
