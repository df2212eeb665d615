"""Import of a CSV file over HTTP: streamed to a file, then read like any other."""

from dataclasses import asdict
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import Field

from orchestrator.api.parts import Avtale, reach
from orchestrator.api.problems import responses
from orchestrator.api.shapes import Out
from orchestrator.clock import database_now
from orchestrator.db import transaction
from orchestrator.errors import BadInput
from orchestrator.flows.import_prospects import import_prospects
from orchestrator.rules.import_rows import Reject

router = APIRouter(prefix="/api/prospects", tags=["prospects"])

_SHOWN = 1000
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "the file, its first line naming the columns",
        "content": {"text/csv": {"schema": {"type": "string", "format": "binary"}}},
    }
}


class RowReject(Out):
    """A row that was not taken, and why."""

    line: int
    why: str


class ImportReport(Out):
    """What is committed. `rejects` are the first thousand; the counts are of all."""

    import_id: UUID
    columns: dict[str, str] = Field(description="their column -> field, or `ignore`")
    taken: int
    created: int
    updated: int
    unchanged: int
    repeated: int
    facts: int
    rejected: int
    opted_out: int
    notices: list[str]
    dry_run: bool
    rejects: list[RowReject]


@router.post(
    "/import",
    dependencies=[reach("prospects:write")],
    summary="Import a CSV file",
    responses=responses(413),
    openapi_extra=_BODY,
)
async def import_file(
    app: Avtale,
    request: Request,
    dry_run: Annotated[bool, Query(description="read and count, but keep nothing")] = False,
    column: Annotated[
        list[str] | None,
        Query(alias="map", max_length=100, description="`their column=field`; may be repeated"),
    ] = None,
) -> ImportReport:
    """The body is the file itself. Sending it again changes nothing, so that it needs no
    Idempotency-Key: after a lost answer, send it again."""
    async with transaction(app.engine) as conn:
        now = await database_now(conn)
    rejects: list[Reject] = []

    def keep(reject: Reject) -> None:
        if len(rejects) < _SHOWN:
            rejects.append(reject)

    report = await import_prospects(
        app,
        request.stream(),
        now=now,
        overrides=_overrides(column or []),
        dry_run=dry_run,
        on_reject=keep,
    )
    shown = [{"line": reject.line, "why": reject.why()} for reject in rejects]
    return ImportReport.model_validate({**asdict(report), "rejects": shown})


def _overrides(pairs: list[str]) -> dict[str, str]:
    found = {}
    for pair in pairs:
        theirs, sign, ours = pair.rpartition("=")
        if not sign or not theirs.strip() or not ours.strip():
            raise BadInput(f"map: `{pair[:80]}` is no `their column=field`")
        found[theirs.strip()] = ours.strip()
    return found
