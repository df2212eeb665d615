"""The unsubscribe link of a message was POSTed."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.errors import NotFound
from orchestrator.flows.note_evidence import note_evidence
from orchestrator.flows.stop_person import stop_person
from orchestrator.store import pages


async def unsubscribe(
    conn: AsyncConnection, *, message_id: UUID, one_click: bool, now: datetime
) -> None:
    """Opt out the person whom a message was for, from everything. Doing it again changes nothing.

    `one_click` says that their mail program asked (RFC 8058). Raises NotFound.
    """
    found = await pages.message(conn, message_id)
    if found is None:
        raise NotFound("There is no such message.")
    created = await pages.add_event(
        conn,
        source="page",
        external_id=f"unsubscribe:{message_id}",
        kind="unsubscribe",
        raw=b"List-Unsubscribe=One-Click" if one_click else b"confirm=1",
        detail={"one_click": one_click},
        prospect_id=found["prospect_id"],
        message_id=message_id,
        now=now,
    )
    if created is not None or found["opted_out_at"] is None:
        await stop_person(conn, prospect_id=found["prospect_id"], reason="opt_out", now=now)
    if created is not None:  # the link is in the message: it has left
        await note_evidence(conn, message_id, "unsubscribed", now)
