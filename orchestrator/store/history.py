"""The append-only history (L7): written in the transaction that changed the state."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.models.work import history
from orchestrator.store.direct import Statement


async def append(
    conn: AsyncConnection,
    kind: str,
    *,
    at: datetime,
    prospect_id: UUID | None = None,
    enrollment_id: UUID | None = None,
    message_id: UUID | None = None,
    **detail: Any,
) -> int:
    """Append one line; its id. `detail` is JSON: ids, numbers, reasons, no names, no addresses."""
    made = await conn.execute(
        insert(history).values(
            at=at,
            kind=kind,
            prospect_id=prospect_id,
            enrollment_id=enrollment_id,
            message_id=message_id,
            detail=detail,
        )
    )
    assert made.inserted_primary_key is not None
    return int(made.inserted_primary_key[0])


_encode = json.JSONEncoder(ensure_ascii=False).encode  # `json.dumps` would make one for each line
_APPEND = Statement("""
insert into history (at, kind, prospect_id, enrollment_id, message_id, detail)
select :at, l.kind, l.prospect_id, l.enrollment_id, l.message_id, cast(l.detail as jsonb)
from unnest(cast(:kinds as text[]), cast(:prospects as uuid[]), cast(:enrollments as uuid[]),
    cast(:messages as uuid[]), cast(:details as text[])) with ordinality
  as l (kind, prospect_id, enrollment_id, message_id, detail, number)
order by l.number
""")


async def append_many(
    conn: AsyncConnection, lines: Sequence[dict[str, Any]], *, at: datetime
) -> None:
    """Append lines in order: dicts of kind, prospect_id, enrollment_id, message_id, detail."""
    if lines:
        await _APPEND.fetch(
            conn,
            {
                "at": at,
                "kinds": [line["kind"] for line in lines],
                "prospects": [line["prospect_id"] for line in lines],
                "enrollments": [line["enrollment_id"] for line in lines],
                "messages": [line["message_id"] for line in lines],
                "details": [_encode(line["detail"]) for line in lines],
            },
        )


async def of_prospect(conn: AsyncConnection, prospect_id: UUID) -> list[dict[str, Any]]:
    """Everything that happened to one prospect, oldest first."""
    rows = await conn.execute(
        select(history).where(history.c.prospect_id == prospect_id).order_by(history.c.id)
    )
    return [dict(row) for row in rows.mappings()]
