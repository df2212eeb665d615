"""Read what came back: stored events become engagements, one transaction each."""

from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.db import is_passing, transaction
from orchestrator.flows.handle_event import handle_event
from orchestrator.flows.handle_mail import handle_mail
from orchestrator.store import inbox
from orchestrator.wiring import App

log = structlog.get_logger()

BATCH = 50
ATTEMPTS = 5


async def read_events(app: App, now: datetime) -> int:
    """Read up to a batch of stored events, any number of readers beside each other (SKIP LOCKED).
    Returns how many were read: zero means that there is nothing more to do now.

    An event that cannot be read does not keep the others back: its changes are rolled back, the
    attempt is counted, and after five it is `failed`, with its error, for a person to look at.
    """
    done = 0
    tried: list[UUID] = []
    while len(tried) < BATCH:
        async with transaction(app.engine) as conn:
            event = await inbox.claim(conn, without=tried)
            if event is None:
                break
            tried.append(event["id"])
            done += await _read(app, conn, event, now)
    return done


async def _read(app: App, conn: AsyncConnection, event: RowMapping, now: datetime) -> bool:
    try:
        async with conn.begin_nested():
            if event["kind"] == "mail":
                await handle_mail(conn, app.keys, event, now)
            else:
                await handle_event(conn, app.keys, event, now)
    except Exception as error:
        if is_passing(error):  # costs no attempt: an answer must not be given up for it (L3)
            raise
        await _failed(conn, event, error)
        return False
    return True


async def _failed(conn: AsyncConnection, event: RowMapping, error: Exception) -> None:
    row = await inbox.note_failure(
        conn, event["id"], error=f"{type(error).__name__}: {error}", most=ATTEMPTS
    )
    log.warning(
        "event.unread",
        event_id=str(event["id"]),
        attempt=row["attempt"],
        state=row["state"],
        error=type(error).__name__,
    )
