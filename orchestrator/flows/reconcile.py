"""Ask the provider about messages in doubt, where it can be asked (section 5 of the design).

Found: it was sent. Certainly not there after the settle delay: it may be tried again. Cannot tell:
a person decides, or later evidence.
"""

from datetime import datetime

import structlog
from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from channels.base import OutboundMessage, Queryable, Sent, Unknown
from channels.crash_points import point
from orchestrator.db import transaction
from orchestrator.flows.note_connection import note_connection
from orchestrator.flows.note_evidence import note_evidence
from orchestrator.store import connections, doubts, history, senders, standing, tasks
from orchestrator.wiring import App

log = structlog.get_logger()


async def reconcile(app: App, now: datetime, *, batch: int = 20) -> int:
    """Look up messages in doubt on channels that can be asked. Returns how many were settled."""
    askable = [name for name, one in app.channels.items() if isinstance(one, Queryable)]
    if not askable:
        return 0
    async with transaction(app.engine) as conn:
        rows = await doubts.to_ask(
            conn, channels=askable, older=app.settings.doubt_after_seconds, batch=batch
        )
    return sum([await _ask(app, row, now) for row in rows])


async def _ask(app: App, row: RowMapping, now: datetime) -> bool:
    channel = app.channels[row["channel"]]
    assert isinstance(channel, Queryable)
    async with transaction(app.engine) as conn:
        account = await senders.load_account(conn, app.keys, row["sender_id"])
        known = await connections.of_identities(conn, [row["identity_id"]])
    connection = known.get((row["identity_id"], row["sender_id"]))
    message = OutboundMessage(
        row["id"],
        row["recipient"],
        row["payload"],
        str(row["id"]),
        request=row["kind"] == "request",
        user_ref=connection["user_ref"] if connection else None,
        thread_ref=connection["thread_ref"] if connection else None,
    )
    try:
        answer = await channel.find(account, message)
        point("reconcile.after_answer")
    except Exception as error:  # noqa: BLE001 - a provider that cannot be asked settles nothing
        log.warning("reconcile.failed", message=str(row["id"]), error=type(error).__name__)
        answer = Unknown(type(error).__name__)
    async with transaction(app.engine) as conn:
        await doubts.asked(conn, row["id"])
        if isinstance(answer, Sent):
            settled = await note_evidence(conn, row["id"], "found at the provider", now)
            await note_connection(
                conn,
                answer,
                kind=row["kind"],
                identity_id=row["identity_id"],
                prospect_id=row["prospect_id"],
                sender_id=row["sender_id"],
                now=now,
            )
            return settled
        if answer is None:
            return await _not_there(conn, row, now)
    return False


async def _not_there(conn: AsyncConnection, row: RowMapping, now: datetime) -> bool:
    """It certainly never arrived: it may be tried again, if nothing stopped it meanwhile."""
    await standing.lock_prospects(conn, [row["prospect_id"]])
    if not await standing.settle_doubt(conn, row["id"], state="retry_wait", now=now):
        return False
    await tasks.cancel_doubt(conn, row["id"], now=now)
    await history.append(
        conn,
        "message.retry_wait",
        at=now,
        prospect_id=row["prospect_id"],
        enrollment_id=row["enrollment_id"],
        message_id=row["id"],
        reason="not at the provider",
    )
    return True
