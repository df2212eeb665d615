"""Take what a provider says: stored first, read later (L3)."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.rules.mail.refs import refs, writer
from orchestrator.store import inbox, standing, threads


async def take_event(
    conn: AsyncConnection,
    *,
    source: str,
    external_id: str,
    kind: str,
    raw: bytes,
    detail: dict[str, Any],
    now: datetime,
) -> UUID | None:
    """Store one provider event, as it came. None when (source, external_id) was seen before: the
    caller answers as it did the first time, and nothing happens twice.

    `detail` is about the way it came: `sender` (a sender's id), `envelope_from`, `envelope_to`.
    Answer the provider only after the commit.
    """
    if kind == "mail":
        # Until somebody has read it, nothing leaves to whoever it may be from (store.handover).
        # Their rows are locked, so that nothing passes in the moment in which this is committed.
        named = refs(raw)
        people = await threads.concerned(conn, named, writer(raw))
        await standing.lock_prospects(conn, people)
        detail = detail | {"refs": named, "prospects": sorted(str(one) for one in people)}
    return await inbox.add(
        conn,
        source=source,
        external_id=external_id,
        kind=kind,
        raw=raw,
        detail=detail,
        now=now,
    )
