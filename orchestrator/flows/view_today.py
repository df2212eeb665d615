"""What is going on today."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator import acting
from orchestrator.clock import database_now
from orchestrator.store import today

_LATELY = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class SenderState:
    """Whether a sender sends, and why not."""

    name: str
    channel: str
    address: str
    state: str  # sending | resting | paused
    reason: str
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Today:
    """The last 24 hours, and what waits for a person; a rep's own where only that is theirs."""

    tasks: dict[str, int]  # by kind
    answers: int  # people who answered, whatever it means
    calls: int  # booked, and not cancelled since
    senders: list[SenderState]


async def view_today(conn: AsyncConnection) -> Today:
    """Four queries, however many people there are."""
    owner = acting.only_own()
    now = await database_now(conn)
    return Today(
        tasks=await today.open_tasks(conn, owner),
        answers=await today.answers_since(conn, now - _LATELY, owner),
        calls=await today.calls_since(conn, now - _LATELY, owner),
        senders=[_state(row, now) for row in await today.sender_states(conn)],
    )


def _state(row: RowMapping, now: datetime) -> SenderState:
    state, reason, until = "sending", "", None
    if row["paused_at"] is not None:
        state, reason = "paused", row["pause_reason"] or ""
    elif row["parked_until"] is not None and row["parked_until"] > now:
        state, reason, until = "resting", row["park_reason"] or "", row["parked_until"]
    return SenderState(row["name"], row["channel"], row["address"], state, reason, until)
