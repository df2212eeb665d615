"""How many invitations an account may send in a day and in a week: the network counts them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from channels.base import Inviting
from orchestrator.store import connections, history, leases, senders
from orchestrator.wiring import App

_LOOK_AGAIN = timedelta(hours=1)


async def within_request_caps(
    conn: AsyncConnection, app: App, rows: Sequence[Mapping[str, Any]], now: datetime
) -> list[Mapping[str, Any]]:
    """`rows` without the invitations that are over their sender's caps, which are held.

    The lanes of these rows are locked, so that two claims do not both take the last one.
    """
    by_sender: defaultdict[UUID, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        if row["kind"] == "request":
            by_sender[row["sender_id"]].append(row)
    over: dict[UUID, Mapping[str, Any]] = {}
    for sender_id, asked in by_sender.items():
        channel = app.channels[asked[0]["channel"]]
        if not isinstance(channel, Inviting):
            continue
        pace = channel.request_pace(await senders.load_account(conn, app.keys, sender_id))
        day, week = await connections.recent_requests(conn, sender_id)
        room = max(0, min(pace.daily - day, pace.weekly - week))
        over |= {row["id"]: row for row in asked[room:]}
    if not over:
        return list(rows)
    await leases.hold(conn, dict.fromkeys(over, (now + _LOOK_AGAIN, "request_cap")))
    lines = [
        {
            "kind": "message.held",
            "prospect_id": row["prospect_id"],
            "enrollment_id": row["enrollment_id"],
            "message_id": row["id"],
            "detail": {"reason": "request_cap"},
        }
        for row in over.values()
    ]
    await history.append_many(conn, lines, at=now)
    return [row for row in rows if row["id"] not in over]
