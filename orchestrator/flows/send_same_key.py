"""Send a message in doubt once more with the key of its first attempt, where the provider honours
keys: it answers as it did then, or takes it now. Either way it arrives once."""

import time
from datetime import datetime, timedelta

import structlog
from sqlalchemy import RowMapping

from channels.base import Account, OutboundMessage, Sent
from orchestrator.db import transaction
from orchestrator.rules import doubt as rules
from orchestrator.rules.outgoing import OF_STEPS
from orchestrator.rules.window import Window, is_open
from orchestrator.rules.zones import plausible_zones
from orchestrator.store import doubts, handover, history, sequences
from orchestrator.wiring import App

log = structlog.get_logger()


async def send_same_key(
    app: App,
    row: RowMapping,
    account: Account,
    message: OutboundMessage,
    known: rules.Doubt,
    now: datetime,
) -> Sent | None:
    """Sent, or None when the doubt stays. If it never arrived it leaves now: so every stop, the
    window and the age of the key are checked as at the point of no return (L4, L5)."""
    began = time.monotonic()

    async def may_leave() -> bool:
        passed = time.monotonic() - began
        at = now + timedelta(seconds=passed)
        return (
            rules.same_key_works(known, later=passed)
            and await _window_open(app, row, at)
            and await _still_may(app, row, at)
        )

    try:
        result = await app.channels[row["channel"]].send(account, message, may_leave)
    except Exception as error:  # noqa: BLE001 - as before the doubt: nothing is known
        log.warning("same_key.failed", message=str(row["id"]), error=type(error).__name__)
        return None
    log.info("same_key.sent", message=str(row["id"]), result=type(result).__name__)
    return result if isinstance(result, Sent) else None


async def _window_open(app: App, row: RowMapping, at: datetime) -> bool:
    if row["kind"] not in OF_STEPS:
        return True
    async with transaction(app.engine) as conn:
        program = await sequences.load_program(conn, row["version_id"])
    zones = plausible_zones(
        zone=row["prospect_zone"],
        country=row["country"],
        phone=row["phone"],
        address=row["recipient"],
        language=row["language"],
    )
    hours = Window.model_validate(row["hours"])
    return is_open(program.window, zones, row["country"], at) and is_open(
        hours, frozenset({row["sender_zone"]}), None, at
    )


async def _still_may(app: App, row: RowMapping, at: datetime) -> bool:
    """Nothing forbids it, and it is still in doubt: committed before the first byte."""
    async with transaction(app.engine) as conn:
        await handover.lock(
            conn,
            senders=[row["sender_id"]],
            sequences=[row["sequence_id"]],
            prospects=[row["prospect_id"]],
        )
        if not await doubts.still_may(conn, row["id"], row["fence"], now=at):
            return False
        await history.append(
            conn,
            "message.asked",
            at=at,
            prospect_id=row["prospect_id"],
            enrollment_id=row["enrollment_id"],
            message_id=row["id"],
            answer="sent once more with the same key",
            about="",
        )
    return True
