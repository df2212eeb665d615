"""Deliver one claimed message: hand it to its channel, settle what came of it."""

import asyncio
from datetime import datetime, timedelta

from sqlalchemy.exc import SQLAlchemyError

from channels.base import (
    Account,
    Channel,
    Inviting,
    NotSent,
    OutboundMessage,
    SendResult,
    Sent,
    Unknown,
)
from orchestrator.combiner import Combiner
from orchestrator.db import transaction
from orchestrator.flows.after_trouble import after_trouble
from orchestrator.flows.claim import Claimed
from orchestrator.flows.note_connection import note_connection
from orchestrator.rules import progress
from orchestrator.rules.outgoing import OF_STEPS, MessageRow, own_step
from orchestrator.rules.program import END, CallStep, Duration
from orchestrator.rules.settlement import columns, outcome
from orchestrator.rules.window import add_duration
from orchestrator.store import leases
from orchestrator.wiring import App


async def deliver(
    app: App, combiner: Combiner, claimed: Claimed, account: Account, message: OutboundMessage
) -> SendResult:
    """Hand `message` over and settle the outcome. Never raises for what a provider does."""
    row = claimed.row
    channel: Channel = app.channels[row.channel]

    async def pass_point() -> bool:
        if not claimed.window_open():
            return False
        return await combiner.pass_point(
            row.id,
            claimed.fence,
            prospect_id=row.prospect_id,
            sender_id=row.sender_id,
            sequence_id=claimed.sequence_id,
            now=claimed.now(),
        )

    result: SendResult
    passed = False

    async def marked() -> bool:
        nonlocal passed
        passed = await pass_point()
        return passed

    try:
        result = await channel.send(account, message, marked)
    except Exception as error:  # noqa: BLE001 - a fault in an adapter must not decide L2 by luck
        detail = f"{type(error).__name__} in the adapter"
        result = Unknown(detail) if passed else NotSent("adapter_fault", detail)
    await settle(app, combiner, claimed, result)
    return result


async def settle(app: App, combiner: Combiner, claimed: Claimed, result: SendResult) -> None:
    """Write the outcome, and what follows for lane, sender and enrollment."""
    now = claimed.now()
    row = claimed.row
    fraction = app.keys.fraction("retry", row.id)
    found = outcome(result, attempt=claimed.attempt, fraction=fraction, now=now)
    if found is None:
        await _give_back(app, claimed, now)
        return
    step, due, reason = _next(claimed, now) if found.state == "sent" else (None, None, None)
    values = columns(row.id, claimed.fence, found, next_step=step, next_due=due, end_reason=reason)
    written = await combiner.settle(values, prospect_id=row.prospect_id, now=now)
    if written and (found.state in ("failed", "in_doubt") or found.park or found.pause):
        async with transaction(app.engine) as conn:
            await after_trouble(conn, claimed, found, now)
    if written and isinstance(result, Sent):
        await _note_connection(app, row, result, now)
    if step is not None and due is not None and due <= now:
        app.ring("plan")


def _next(claimed: Claimed, now: datetime) -> tuple[str | None, datetime | None, str | None]:
    """Where the enrollment stands after this message: (step, due, None), or (None, None, why)."""
    row = claimed.row
    if row.kind not in OF_STEPS:
        return None, None, None
    step = claimed.program.step(own_step(row.kind, row.step))
    if row.kind == "request":  # the planner decides when they have let us in, or did not in time
        return step.id, now + claimed.request_stays, None
    if isinstance(step, CallStep):
        return None, None, "offered"

    def add(duration: Duration, start: datetime) -> datetime:
        return add_duration(duration, start, claimed.zones, claimed.country)

    target, due = progress.after(claimed.program, step.id, now, add)
    return (None, None, "completed") if target == END else (target, due, None)


async def _note_connection(app: App, row: MessageRow, result: Sent, now: datetime) -> None:
    """Where the provider keeps the conversation, for whatever is said there next."""
    inviting = isinstance(app.channels[row.channel], Inviting)
    if row.identity_id is None or not (inviting or result.user_ref or result.thread_ref):
        return
    async with transaction(app.engine) as conn:
        await note_connection(
            conn,
            result,
            kind=row.kind,
            identity_id=row.identity_id,
            prospect_id=row.prospect_id,
            sender_id=row.sender_id,
            now=now,
        )


async def _give_back(app: App, claimed: Claimed, now: datetime) -> None:
    """Nothing left: let the next claim decide why. Through a short outage of the database.

    A second later, so that what the claim allows and the point of no return refuses does not spin.
    """
    for pause in (0.2, 1.0, 3.0, 5.0, 5.0):
        try:
            async with transaction(app.engine) as conn:
                due = now + timedelta(seconds=1)
                await leases.release(conn, claimed.row.id, claimed.fence, due=due, reason="stopped")
            return
        except (SQLAlchemyError, OSError, TimeoutError):
            await asyncio.sleep(pause)
