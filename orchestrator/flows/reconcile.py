"""Settle messages in doubt by what their channel declares (section 5 of the design).

What came back settles them first. Else the provider is asked, where it can be: found, it was sent;
certainly not there, it may be tried again. Where the provider honours our key, the same bytes with
the same key are no repetition while the key lives. A confirmation may come twice. All else waits
for a person, or for later evidence.
"""

from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from channels.base import Account, OutboundMessage, Queryable, Sent, Unknown, askable, key_seconds
from channels.crash_points import point
from orchestrator.db import transaction
from orchestrator.flows.ask_about_stranded import IN_DOUBT
from orchestrator.flows.note_connection import note_connection
from orchestrator.flows.note_evidence import note_evidence
from orchestrator.flows.send_same_key import send_same_key
from orchestrator.rules import doubt as rules
from orchestrator.rules.outgoing import own_step
from orchestrator.store import connections, doubts, history, senders, standing, tasks
from orchestrator.wiring import App

log = structlog.get_logger()

_REST = 300.0  # seconds until it is looked at again; a quarter of its age when that is more
_GRACE = timedelta(minutes=2)  # an outcome and the task about it are two transactions
TWICE = "a confirmation may come twice"


async def reconcile(app: App, now: datetime, *, batch: int = 20) -> int:
    """One pass over the messages in doubt. Returns how many were settled."""
    settled = await settle_proven(app, now)
    await _ask_people(app, now)
    async with transaction(app.engine) as conn:
        rows = await doubts.take(
            conn, older=app.settings.doubt_after_seconds, rest=_REST, batch=batch
        )
    return settled + sum([await _settle(app, row, now) for row in rows])


async def settle_proven(app: App, now: datetime, *, batch: int = 200) -> int:
    """Settle what something has come back for before it was in doubt. Returns how many."""
    async with transaction(app.engine) as conn:
        rows = await doubts.proven(conn, batch=batch)
    settled = 0
    for row in rows:
        async with transaction(app.engine) as conn:
            settled += await note_evidence(conn, row["id"], row["evidence"], now)
    return settled


async def _ask_people(app: App, now: datetime) -> None:
    """A process that dies between an outcome and its task leaves a doubt that nobody sees."""
    async with transaction(app.engine) as conn:
        for row in await doubts.unasked(conn, before=now - _GRACE, batch=100):
            await tasks.open_task(
                conn,
                kind="in_doubt",
                title=IN_DOUBT,
                prospect_id=row["prospect_id"],
                enrollment_id=row["enrollment_id"],
                message_id=row["id"],
                step=own_step(row["kind"], row["step"]),
                detail={},
                now=now,
            )


async def _settle(app: App, row: RowMapping, now: datetime) -> bool:
    async with transaction(app.engine) as conn:
        account = await senders.load_account(conn, app.keys, row["sender_id"])
        message = await _message(conn, row)
    channel = app.channels[row["channel"]]
    known = rules.Doubt(
        row["kind"],
        row["attempt"],
        row["age"],
        row["first_age"],
        key_seconds=key_seconds(channel, account, message),
        superseded=bool(row["newer"]),
        call_at=row["call_at"],
        restored=bool(row["restored"]),
    )
    answer = await _ask(app, row, account, message, now)
    if isinstance(answer, Sent):
        return await _found(app, row, answer, now)
    if answer is None and rules.absence_proves(known):
        return await try_again(app, row, "not at the provider", now)
    match rules.way(known, now):
        case "same_key":
            sent = await send_same_key(app, row, account, message, known, now)
            return sent is not None and await _found(app, row, sent, now)
        case "again":
            return await try_again(app, row, TWICE, now)
        case "person":
            return False


async def _ask(
    app: App, row: RowMapping, account: Account, message: OutboundMessage, now: datetime
) -> Sent | Unknown | None:
    """What the provider says, where it can be asked; it is noted for whoever decides in the end."""
    channel = app.channels[row["channel"]]
    if not (isinstance(channel, Queryable) and askable(channel, account)):
        return Unknown("it cannot be asked")
    answer: Sent | Unknown | None
    try:
        answer = await channel.find(account, message)
    except Exception as error:  # noqa: BLE001 - a provider that cannot be asked settles nothing
        log.warning("reconcile.failed", message=str(row["id"]), error=type(error).__name__)
        answer = Unknown(type(error).__name__)
    point("reconcile.after_answer")
    await _note_answer(app, row, answer, now)
    return answer


async def _message(conn: AsyncConnection, row: RowMapping) -> OutboundMessage:
    """What was handed over, byte for byte, with where the provider keeps the conversation."""
    connection = None
    if row["identity_id"] is not None:
        known = await connections.of_identities(conn, [row["identity_id"]])
        connection = known.get((row["identity_id"], row["sender_id"]))
    return OutboundMessage(
        row["id"],
        row["recipient"],
        row["payload"],
        str(row["id"]),
        request=row["kind"] == "request",
        user_ref=connection["user_ref"] if connection else None,
        thread_ref=connection["thread_ref"] if connection else None,
    )


async def _note_answer(
    app: App, row: RowMapping, answer: Sent | Unknown | None, now: datetime
) -> None:
    """What the provider said, for whoever has to decide in the end (L7)."""
    said = {Sent: "it is there", Unknown: "it cannot tell"}.get(type(answer), "it is not there")
    async with transaction(app.engine) as conn:
        await history.append(
            conn,
            "message.asked",
            at=now,
            prospect_id=row["prospect_id"],
            enrollment_id=row["enrollment_id"],
            message_id=row["id"],
            answer=said,
            about=answer.detail[:200] if answer is not None else "",
        )


async def _found(app: App, row: RowMapping, answer: Sent, now: datetime) -> bool:
    async with transaction(app.engine) as conn:
        settled = await note_evidence(conn, row["id"], "found at the provider", now)
        await doubts.note_ref(conn, row["id"], answer.provider_ref)
        if row["identity_id"] is not None:
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


async def try_again(app: App, row: RowMapping, reason: str, now: datetime) -> bool:
    """Let the message be sent again, byte for byte, if nothing stopped it meanwhile. False:
    evidence or a person came first."""
    async with transaction(app.engine) as conn:
        await standing.lock_prospects(conn, [row["prospect_id"]])
        if not await doubts.still_same(conn, row["id"], row["fence"]):
            return False
        if not await standing.settle_doubt(conn, row["id"], state="retry_wait", now=now):
            return False
        await tasks.cancel_doubt(conn, row["id"], now=now)
        await _tell(conn, row, reason, now)
    app.ring("send")
    return True


async def _tell(conn: AsyncConnection, row: RowMapping, reason: str, now: datetime) -> None:
    message_id: UUID = row["id"]
    await history.append(
        conn,
        "message.retry_wait",
        at=now,
        prospect_id=row["prospect_id"],
        enrollment_id=row["enrollment_id"],
        message_id=message_id,
        reason=reason,
    )
