"""Mailboxes: every email sender with IMAP settings is listened to while a worker runs.

A mail is stored, and its mailbox's cursor moved, in one transaction; so a crash at any point
neither loses a mail nor stores one twice, and two workers on one mailbox do no harm.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

import structlog
from sqlalchemy import RowMapping

from channels.email.settings import ImapSettings
from orchestrator.clock import database_now
from orchestrator.db import transaction
from orchestrator.flows.take_event import take_event
from orchestrator.mailbox import Fetched, Mailbox
from orchestrator.rules.mail import parts
from orchestrator.store import mail_cursors, senders
from orchestrator.wiring import App

log = structlog.get_logger()
T = TypeVar("T")

POLL_SECONDS = (
    60.0  # also how often IDLE is issued anew; servers and firewalls drop it after 29 min
)
_LOOK_FOR_SENDERS = 15.0
_LONGEST_REST = 300.0


@dataclass(frozen=True, slots=True)
class _Place:
    """The mailbox of one sender."""

    sender_id: UUID
    source: str
    folder: str
    created_at: datetime


async def run_mailboxes(
    app: App, stop: asyncio.Event, *, look_seconds: float = _LOOK_FOR_SENDERS
) -> None:
    """Listen to every mailbox until `stop`. New senders are found, changed ones reconnected and
    removed ones dropped within `look_seconds`. Outlives whatever a mailbox or the database does."""
    running: dict[UUID, tuple[object, asyncio.Event, asyncio.Task[None]]] = {}
    while not stop.is_set():
        try:
            async with transaction(app.engine) as conn:
                rows = await mail_cursors.mailboxes(conn)
            _follow(app, rows, running)
        except Exception as error:  # noqa: BLE001 - the next look comes; mail waits on its server
            log.warning("imap.look_failed", error=type(error).__name__)
        await _rest(stop, look_seconds)
    for _, end, _ in running.values():
        end.set()
    await asyncio.gather(*(task for _, _, task in running.values()), return_exceptions=True)


def _follow(
    app: App,
    rows: Any,
    running: dict[UUID, tuple[object, asyncio.Event, asyncio.Task[None]]],
) -> None:
    wanted = {row["id"]: (row["settings"]["imap"], row["secrets"], row["name"]) for row in rows}
    for sender_id, (known, end, task) in list(running.items()):
        if wanted.get(sender_id) != known:
            end.set()
        if task.done():
            del running[sender_id]
    for sender_id, settings in wanted.items():
        if sender_id not in running:
            end = asyncio.Event()
            task = asyncio.create_task(listen(app, sender_id, end))
            running[sender_id] = (settings, end, task)


async def listen(
    app: App, sender_id: UUID, stop: asyncio.Event, *, poll_seconds: float = POLL_SECONDS
) -> None:
    """Store what arrives in one sender's mailbox until `stop`; reconnect with backoff, for ever."""
    rest = 1.0

    def connected() -> None:
        nonlocal rest
        rest = 1.0

    while not stop.is_set():
        try:
            await _session(app, sender_id, stop, poll_seconds, connected)
            return
        except Exception as error:  # noqa: BLE001 - servers fail in many ways, and come back
            log.warning(
                "imap.disconnected",
                sender_id=str(sender_id),
                error=type(error).__name__,
                again_in=rest,
            )
        await _rest(stop, rest)
        rest = min(rest * 2, _LONGEST_REST)


async def _session(
    app: App,
    sender_id: UUID,
    stop: asyncio.Event,
    poll_seconds: float,
    connected: Callable[[], None],
) -> None:
    """One connection. Returns at `stop`, raises when the connection is lost."""
    async with transaction(app.engine) as conn:
        row = await senders.get(conn, sender_id)
    account = senders.account_of(row, app.keys)
    settings = ImapSettings.model_validate(account.settings["imap"])
    place = _Place(sender_id, f"imap:{account.name}", settings.folder, row["created_at"])
    password = account.secrets.get("imap_password", "")
    async with _opened(settings, password, stop) as (mailbox, in_thread, halted):
        connected()
        log.info("imap.connected", sender_id=str(sender_id))
        cursor = await _cursor(app, place)
        last = await _catch_up(app, place, mailbox, in_thread, cursor)
        while not stop.is_set():
            await in_thread(partial(mailbox.wait, poll_seconds, halted))
            uids = await in_thread(partial(mailbox.uids_after, last))
            last = await _store(app, place, mailbox, in_thread, uids, last)


InThread = Callable[[Callable[[], Any]], Any]


@asynccontextmanager
async def _opened(
    settings: ImapSettings, password: str, stop: asyncio.Event
) -> AsyncIterator[tuple[Mailbox, InThread, threading.Event]]:
    """A mailbox in a thread of its own, and the event that ends its waiting."""
    loop = asyncio.get_running_loop()
    halted = threading.Event()

    async def halt() -> None:
        try:
            await stop.wait()
        finally:
            halted.set()

    threads = ThreadPoolExecutor(1, thread_name_prefix="imap")
    in_thread = partial(loop.run_in_executor, threads)
    halting = asyncio.create_task(halt())
    try:
        mailbox: Mailbox = await in_thread(partial(Mailbox, settings, password))
        try:
            yield mailbox, in_thread, halted
        finally:
            halted.set()
            with suppress(Exception):
                await asyncio.shield(in_thread(mailbox.close))
    finally:
        halting.cancel()
        threads.shutdown(wait=False)  # waiting here would stop every other mailbox


async def _cursor(app: App, place: _Place) -> RowMapping | None:
    async with transaction(app.engine) as conn:
        return await mail_cursors.get(conn, place.sender_id, place.folder)


async def _catch_up(
    app: App, place: _Place, mailbox: Mailbox, in_thread: InThread, cursor: RowMapping | None
) -> int:
    """Store what arrived while nobody listened; the UID up to which all is stored.

    The first time: what arrived since the sender was made, since before that nothing of ours could
    be answered. When UIDVALIDITY has changed, the UIDs are worthless (RFC 3501, 2.3.1.1): what
    arrived since the day before the last mail, without what is stored already.
    """
    if cursor is not None and cursor["uidvalidity"] == mailbox.uidvalidity:
        last = int(cursor["last_uid"])
        uids = await in_thread(partial(mailbox.uids_after, last))
        return await _store(app, place, mailbox, in_thread, uids, last)
    # Arrival has whole seconds, and the mail server's clock may be a little behind.
    began = place.created_at - timedelta(minutes=5)
    since = cursor["seen_at"] - timedelta(days=1) if cursor is not None else began
    day = (since - timedelta(days=1)).date()  # the server's day may be another one
    uids = await in_thread(partial(mailbox.uids_since, day))
    last = await _store(
        app, place, mailbox, in_thread, uids, 0, since=since, again=cursor is not None
    )
    newest: list[int] = await in_thread(partial(mailbox.uids_after, last))
    if newest and not uids:
        last = newest[-1]  # all of it is older than what concerns us
        await _advance(app, place, mailbox.uidvalidity, last)
    return last


async def _store(
    app: App,
    place: _Place,
    mailbox: Mailbox,
    in_thread: InThread,
    uids: list[int],
    last: int,
    *,
    since: datetime | None = None,
    again: bool = False,
) -> int:
    """Store these mails one by one; the last UID that is behind us."""
    if not uids:
        return last
    fetched = await in_thread(partial(mailbox.fetch, uids))
    while True:
        mail: Fetched | None = await in_thread(partial(next, fetched, None))
        if mail is None:
            break
        old = since is not None and mail.received_at is not None and mail.received_at < since
        if old:
            await _advance(app, place, mailbox.uidvalidity, mail.uid)
        elif await _take(app, place, mailbox.uidvalidity, mail, again=again):
            app.ring("read")
        last = mail.uid
    return max(last, uids[-1])  # what vanished before it was fetched is behind us, too


async def _advance(app: App, place: _Place, uidvalidity: int, uid: int) -> None:
    async with transaction(app.engine) as conn:
        now = await database_now(conn)
        await mail_cursors.advance(
            conn, place.sender_id, place.folder, uidvalidity=uidvalidity, uid=uid, now=now
        )


async def _take(app: App, place: _Place, uidvalidity: int, mail: Fetched, *, again: bool) -> bool:
    """Store one mail and move the cursor past it, in one transaction. False: known before."""
    ids = parts.ids(parts.parse(mail.raw[:65_536]), "Message-ID")
    async with transaction(app.engine) as conn:
        now = await database_now(conn)
        known = again and ids and await mail_cursors.has_mail(conn, place.source, ids[0])
        taken = None
        if not known:
            detail: dict[str, Any] = {"sender": str(place.sender_id)}
            detail |= {"message_id": ids[0][:1000]} if ids else {}
            detail |= {} if mail.whole else {"cut": "header only: the mail is too large"}
            taken = await take_event(
                conn,
                source=place.source,
                external_id=f"{uidvalidity}:{mail.uid}",
                kind="mail",
                raw=mail.raw,
                detail=detail,
                now=now,
            )
        await mail_cursors.advance(
            conn, place.sender_id, place.folder, uidvalidity=uidvalidity, uid=mail.uid, now=now
        )
    return taken is not None


async def _rest(stop: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
