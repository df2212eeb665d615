"""Lay out what is known about a message in doubt, for the person who decides."""

from dataclasses import asdict
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from channels.base import askable
from orchestrator.rules import doubt as rules
from orchestrator.rules import gate
from orchestrator.store import doubts, heartbeats, senders
from orchestrator.wiring import App

_SHOWN = (
    *("step", "kind", "channel", "state", "sequence", "sender", "recipient", "subject", "text"),
    *("handed_at", "attempt", "worker", "rfc_message_id", "prospect_id"),
)
_ALIVE = 30.0  # seconds since the last heartbeat


async def lay_out_doubt(app: App, conn: AsyncConnection, message_id: UUID) -> dict[str, Any] | None:
    """When, by whom and how far it was handed over; where a sign was looked for and what was there;
    what each choice does and risks. None: there is no such message."""
    row = await doubts.dossier(conn, message_id)
    if row is None:
        return None
    channel = app.channels.get(row["channel"])
    account = await senders.load_account(conn, app.keys, row["sender_id"])
    signs = await doubts.signs(conn, row["prospect_id"], message_id)
    known = rules.Known(
        kind=row["kind"],
        asked=tuple(
            (one["at"], one["detail"].get("answer", ""), one["detail"].get("about", ""))
            for one in signs
            if one["kind"] == "message.asked"
        ),
        askable=channel is not None and askable(channel, account),
        events_of_sender=row["events_of_sender"],
        events_of_message=row["events_of_message"],
        answers=row["answers"],
        evidence=tuple(
            one["detail"].get("evidence", "") for one in signs if one["kind"] == "message.evidence"
        ),
        over=row["enrollment_state"] not in gate.RUNNING or row["answered"],
    )
    alive = {one["worker"] for one in await heartbeats.alive(conn, seconds=_ALIVE)}
    return {
        "message_id": message_id,
        **{name: row[name] for name in _SHOWN},
        "worker_alive": row["worker"] in alive,
        "phase": row["last_detail"] or "no outcome was noted",
        "looked": [asdict(one) for one in rules.looked(known)],
        "choices": [asdict(one) for one in rules.choices(known)],
    }
