"""Deliver one claimed message: hand it to its channel, settle what came of it."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import cache, partial
from typing import Any

import structlog

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
from orchestrator.combiner import PATIENCE, Combiner, Follow
from orchestrator.db import transaction
from orchestrator.flows.after_trouble import after_trouble
from orchestrator.flows.claim import Claimed
from orchestrator.flows.note_connection import note_connection
from orchestrator.flows.note_evidence import note_evidence
from orchestrator.rules import progress
from orchestrator.rules.outgoing import OF_STEPS, MessageRow, own_step
from orchestrator.rules.program import END, CallStep, Duration
from orchestrator.rules.settlement import Outcome, columns, outcome
from orchestrator.rules.window import add_duration
from orchestrator.store import leases, standing, tasks
from orchestrator.wiring import App

log = structlog.get_logger()


class Delivery:
    """One claimed message on its way (`channels.base.Handing`)."""

    __slots__ = ("_app", "_combiner", "after", "claimed", "message", "passed", "passed_at")

    def __init__(
        self, app: App, combiner: Combiner, claimed: Claimed, message: OutboundMessage
    ) -> None:
        self._app, self._combiner = app, combiner
        self.claimed = claimed
        self.message = message
        self.after: asyncio.Task[None] | None = None  # what must be over before this one passes
        self.passed = False
        self.passed_at = 0.0  # by the loop's clock

    async def pass_point(self) -> bool:
        """Commit the point of no return: see `channels.base.PassPoint`."""
        if self.after is not None:
            await asyncio.wait({self.after})
        claimed, row = self.claimed, self.claimed.row
        self.passed = claimed.window_open() and await self._combiner.pass_point(
            row.id,
            claimed.fence,
            prospect_id=row.prospect_id,
            sender_id=row.sender_id,
            sequence_id=claimed.sequence_id,
            now=claimed.now(),
        )
        self.passed_at = asyncio.get_running_loop().time()
        return self.passed

    def fault(self, error: Exception) -> SendResult:
        """What is known of it after a fault in an adapter, which must not decide L2 by luck."""
        detail = f"{type(error).__name__} in the adapter"
        return Unknown(detail) if self.passed else NotSent("adapter_fault", detail)

    def settle_soon(self, result: SendResult, told: Callable[[bool], None]) -> bool:
        """Let `result` be written with the next commit; `told` hears whether it was. False: more
        has to be written than the outcome, by `settle`."""
        now = self.claimed.now()
        if not isinstance(result, Sent) or _note(self._app, self.claimed, result, now):
            return False
        found = outcome(result, attempt=self.claimed.attempt, fraction=0.0, now=now)
        assert found is not None
        values = _columns(self.claimed, found, now)

        def written(done: bool) -> None:
            _ring(self._app, values, now)
            told(done)

        prospect = self.claimed.row.prospect_id
        self._combiner.hand_in(values, prospect_id=prospect, now=now, told=written)
        return True

    async def settle(self, result: SendResult) -> None:
        """Write `result` with all that follows."""
        await settle(self._app, self._combiner, self.claimed, result)

    async def taken_after_all(self) -> None:
        """It was sent, and `settle_soon` came too late to say so."""
        await _taken_after_all(self._app, self.claimed.row, self.claimed.now())

    async def give_back(self) -> None:
        """It was not begun: let the next claim decide when it is."""
        await give_back(self._app, self._combiner, self.claimed)


async def deliver(
    app: App, combiner: Combiner, claimed: Claimed, account: Account, message: OutboundMessage
) -> SendResult:
    """Hand `message` over and settle the outcome. Never raises for what a provider does."""
    one = Delivery(app, combiner, claimed, message)
    channel: Channel = app.channels[claimed.row.channel]
    result: SendResult
    try:
        result = await channel.send(account, message, one.pass_point)
    except Exception as error:  # noqa: BLE001 - a fault in an adapter must not decide L2 by luck
        result = one.fault(error)
    await settle(app, combiner, claimed, result)
    return result


async def settle(app: App, combiner: Combiner, claimed: Claimed, result: SendResult) -> None:
    """Write the outcome, and with it what follows for lane, sender, address and enrollment."""
    now = claimed.now()
    row = claimed.row
    fraction = app.keys.fraction("retry", row.id)
    found = outcome(result, attempt=claimed.attempt, fraction=fraction, now=now)
    if found is None:
        await give_back(app, combiner, claimed)
        return
    values = _columns(claimed, found, now)
    written = await combiner.settle(
        values,
        prospect_id=row.prospect_id,
        now=now,
        follow=_follow(app, claimed, found, result, now),
        exclusive=row.sender_id if found.pause else None,
    )
    if not written and isinstance(result, Sent):
        await _taken_after_all(app, row, now)
    _ring(app, values, now)


def _ring(app: App, values: Mapping[str, Any], now: datetime) -> None:
    if values["next_due"] is not None and values["next_due"] <= now:
        app.ring("plan")


def _columns(claimed: Claimed, found: Outcome, now: datetime) -> dict[str, Any]:
    step, due, reason = _next(claimed, now) if found.state == "sent" else (None, None, None)
    return columns(
        claimed.row.id, claimed.fence, found, next_step=step, next_due=due, end_reason=reason
    )


def _follow(
    app: App, claimed: Claimed, found: Outcome, result: SendResult, now: datetime
) -> Follow | None:
    """What is written with the outcome or not at all; None for most of what is sent."""
    if found.state in ("failed", "in_doubt") or found.park or found.pause:
        return partial(after_trouble, claimed=claimed, found=found, now=now)
    return _note(app, claimed, result, now) if isinstance(result, Sent) else None


def _note(app: App, claimed: Claimed, result: Sent, now: datetime) -> Follow | None:
    """Where the provider keeps the conversation, for whatever is said there next."""
    row = claimed.row
    if row.identity_id is None:
        return None
    if not (result.user_ref or result.thread_ref or _invites(type(app.channels[row.channel]))):
        return None
    return partial(
        note_connection,
        result=result,
        kind=row.kind,
        identity_id=row.identity_id,
        prospect_id=row.prospect_id,
        sender_id=row.sender_id,
        now=now,
    )


@cache  # a protocol is compared name by name
def _invites(kind: type) -> bool:
    return issubclass(kind, Inviting)


async def _taken_after_all(app: App, row: MessageRow, now: datetime) -> None:
    """The provider took what somebody meanwhile made wait to be sent again: it must not be."""
    try:
        async with transaction(app.engine) as conn:
            await note_evidence(conn, row.id, "taken by the provider", now)
    except Exception as error:  # noqa: BLE001 - a driver whose connection is cut raises anything
        log.warning("deliver.evidence_lost", message=str(row.id), error=type(error).__name__)


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


async def give_back(app: App, combiner: Combiner, claimed: Claimed) -> None:
    """Nothing left: let the next claim decide why. Through a short outage of the database.

    A second later, so that what the claim allows and the point of no return refuses does not spin.
    """
    due = claimed.now() + timedelta(seconds=1)
    for pause in PATIENCE:
        try:
            async with transaction(app.engine) as conn:
                await standing.lock_prospects(conn, [claimed.row.prospect_id])
                done = await leases.release(
                    conn, claimed.row.id, claimed.fence, due=due, reason="stopped"
                )
                if done == "in_doubt":
                    await tasks.cancel_doubt(conn, claimed.row.id, now=claimed.now())
        except Exception as error:  # noqa: BLE001 - as above: it is tried again
            log.warning("deliver.not_given_back", error=type(error).__name__)
            await asyncio.sleep(pause)
            continue
        if not done:
            combiner.note_refused(claimed.row.id, claimed.fence, "release")
        return
