"""What follows for lane, sender, address and enrollment when a hand-over did not simply succeed."""

from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.flows.claim import Claimed
from orchestrator.flows.suppress_address import suppress_address
from orchestrator.rules import pacing
from orchestrator.rules.outgoing import OF_STEPS, own_step
from orchestrator.rules.settlement import Outcome
from orchestrator.store import history, leases, senders, standing, tasks


async def after_trouble(
    conn: AsyncConnection, claimed: Claimed, found: Outcome, now: datetime
) -> None:
    """Suppress a bad address, ask a person about a refusal or a doubt, rest or pause the lane."""
    row = claimed.row
    if found.bad_address and row.identity_id is not None:
        await suppress_address(conn, identity_id=row.identity_id, now=now, message_id=row.id)
    elif found.state == "failed" and row.kind in OF_STEPS:
        await standing.lock_prospects(conn, [row.prospect_id])
        await standing.hold_enrollments(conn, [row.enrollment_id])
        await _ask(conn, claimed, "undeliverable", f"Refused: {found.detail[:120]}", now)
    elif found.state == "in_doubt":
        title = "It is not known whether this message left"
        await _ask(conn, claimed, "in_doubt", title, now, attempt=claimed.attempt)
    if found.state == "failed" and row.kind not in OF_STEPS:  # somebody expects to be told
        who = "The host" if row.kind == "host_invitation" else "The prospect"
        title = f"{who} was not told about the call: {found.detail[:120]}"
        await _ask(conn, claimed, "undeliverable", title, now)
    if found.park:
        failures = await leases.lane_failures(conn, row.sender_id) + 1
        until = pacing.parked_until(now, failures, found.asked)
        await leases.park(conn, row.sender_id, until=until, reason=found.klass)
        await _tell(conn, claimed, "sender.parked", found, now, until=until.isoformat())
    if found.pause:
        await senders.pause(conn, row.sender_id, reason=found.detail[:200], now=now)
        await _tell(conn, claimed, "sender.paused", found, now)


async def _ask(
    conn: AsyncConnection, claimed: Claimed, kind: str, title: str, now: datetime, **detail: Any
) -> None:
    row = claimed.row
    await tasks.open_task(
        conn,
        kind=kind,
        title=title,
        prospect_id=row.prospect_id,
        enrollment_id=row.enrollment_id,
        message_id=row.id,
        step=own_step(row.kind, row.step),
        detail=detail,
        now=now,
    )


async def _tell(
    conn: AsyncConnection, claimed: Claimed, kind: str, found: Outcome, now: datetime, **detail: Any
) -> None:
    await history.append(
        conn,
        kind,
        at=now,
        sender=str(claimed.row.sender_id),
        reason=found.klass,
        **detail,
    )
