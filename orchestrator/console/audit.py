"""Who changed what, with before and after."""

from typing import Any

from fastapi import Request, Response
from sqlalchemy import RowMapping

from orchestrator.console.frame import Pages, app_of, render
from orchestrator.db import transaction
from orchestrator.store import audit

router = Pages()
_LINES = 50
_SAID = frozenset({"id", "created_at"})


@router.page("/console/audit", "audit:read")
async def show_audit(request: Request) -> Response:
    """The newest first; `subject`, `actor` and `action` narrow it, `before` goes on."""
    asked = {
        name: value[:300].replace("\0", "")
        for name in ("subject", "actor", "action")
        if (value := request.query_params.get(name, "").strip())
    }
    before = request.query_params.get("before", "")
    async with transaction(app_of(request).engine) as conn:
        rows = await audit.lines(
            conn,
            limit=_LINES + 1,
            before=int(before) if before.isdigit() and len(before) < 19 else None,
            subject=asked.get("subject"),
            actor=asked.get("actor"),
            action=asked.get("action"),
        )
    lines = [{**row, "changes": changes(row)} for row in rows[:_LINES]]
    older = lines[-1]["id"] if len(rows) > _LINES else None
    part = request.headers.get("hx-request") == "true"
    template = "audit_lines.html" if part else "audit.html"
    return render(request, template, lines=lines, older=older, asked=asked)


def changes(row: RowMapping) -> list[tuple[str, str | None, str | None]]:
    """Name, before and after of what a line changed, in the order of the names."""
    before: dict[str, Any] = row["before"] or {}
    after: dict[str, Any] = row["after"] or {}
    whole = not before or not after
    # Of what was added or removed the line itself says which and when.
    names = sorted((before.keys() | after.keys()) - (_SAID if whole else set()))
    both = ((name, _told(before.get(name)), _told(after.get(name))) for name in names)
    return [one for one in both if one[1] is not None or one[2] is not None][:40]


def _told(value: Any) -> str | None:
    """A value in few characters; None for what says nothing."""
    if value is None or value in ("", [], {}):
        return None
    told = str(value)
    return told if len(told) <= 200 else told[:197] + "…"
