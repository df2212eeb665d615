"""Ask providers what their webhooks may not have said, and take old invitations back."""

from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from channels.base import Account, Inviting
from channels.registry import CHANNELS
from orchestrator.db import transaction
from orchestrator.flows.take_events import take_events
from orchestrator.rules.event_json import encode
from orchestrator.store import connections, history, senders
from orchestrator.store.arrivals import Arrival
from orchestrator.wiring import App

log = structlog.get_logger()

_LOOK_BACK = timedelta(days=2)  # webhooks are up to eight hours late; two days forgive an outage


async def poll_channels(app: App, now: datetime) -> int:
    """Poll every unpaused sender whose channel needs letting in. Returns how many events were new.

    An event that a webhook told already has the same external id, and is stored once.
    """
    inviting = {name for name, one in app.channels.items() if isinstance(one, Inviting)}
    async with transaction(app.engine) as conn:
        rows = await senders.of_channels(conn, inviting) if inviting else {}
    new = 0
    for sender_id, row in rows.items():
        if row["paused_at"] is not None:
            continue
        account = senders.account_of(row, app.keys)
        channel = app.channels[row["channel"]]
        assert isinstance(channel, Inviting)
        try:
            if channel.needs_request(account):
                new += await _poll(app, channel, account, row["channel"], now)
                await _withdraw(app, channel, account, now)
        except Exception as error:  # noqa: BLE001 - one account's trouble is not the others'
            log.warning("poll.failed", sender=str(sender_id), error=type(error).__name__)
    if new:
        app.ring("read")
    return new


async def _poll(
    app: App, channel: Inviting, account: Account, channel_name: str, now: datetime
) -> int:
    events = await channel.poll(account, now - _LOOK_BACK)
    source = f"{poll_source(channel_name)}:{account.name}"
    found = [
        Arrival(
            source=source,
            external_id=event.external_id,
            kind=event.kind,
            trust="signed",
            sender_id=account.id,
            raw=b"",
            detail={"event": encode(event), "polled": True},
        )
        for event in events
    ]
    async with transaction(app.engine) as conn:
        return await take_events(conn, found, now=now)


def poll_source(channel: str) -> str:
    """Under which source a polled event is stored: the one that its webhooks come in by, so that
    the same event is not told twice."""
    sources = CHANNELS[channel].sources if channel in CHANNELS else ()
    return sources[0].name if sources else channel


async def _withdraw(app: App, channel: Inviting, account: Account, now: datetime) -> None:
    pace = channel.request_pace(account)
    async with transaction(app.engine) as conn:
        stale = await connections.stale_invitations(
            conn, account.id, days=pace.withdraw_after_days, now=now
        )
    for row in stale:
        if not await channel.withdraw(account, row["request_ref"]):
            continue
        async with transaction(app.engine) as conn:
            await _withdrawn(conn, row, account.id, now)


async def _withdrawn(
    conn: AsyncConnection, row: RowMapping, sender_id: UUID, now: datetime
) -> None:
    await connections.note(
        conn,
        identity_id=row["identity_id"],
        prospect_id=row["prospect_id"],
        sender_id=sender_id,
        state="withdrawn",
        now=now,
    )
    await connections.admit(conn, prospect_id=row["prospect_id"], sender_id=sender_id, now=now)
    await history.append(
        conn,
        "connection.withdrawn",
        at=now,
        prospect_id=row["prospect_id"],
        sender=str(sender_id),
    )
