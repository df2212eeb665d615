"""Sweep: take back leases that ran out, and mark as in doubt what was never settled.

Level-triggered and safe in any number of copies: each row is swept by whoever locks it first.
"""

from dataclasses import dataclass
from datetime import datetime

from channels.crash_points import point
from orchestrator.db import transaction
from orchestrator.store import history, leases, tasks
from orchestrator.wiring import App


@dataclass(frozen=True, slots=True)
class Swept:
    """How many messages were taken back, and how many put in doubt."""

    released: int
    doubted: int


async def sweep(app: App, now: datetime) -> Swept:
    """One pass over everything that stopped moving."""
    async with transaction(app.engine) as conn:
        released = await leases.expire(conn, now=now)
        await history.append_many(
            conn,
            [
                {
                    "kind": "message.lease_expired",
                    "prospect_id": row["prospect_id"],
                    "enrollment_id": row["enrollment_id"],
                    "message_id": row["id"],
                    "detail": {"fence": row["fence"]},
                }
                for row in released
            ],
            at=now,
        )
        if released:
            point("sweep.before_commit")
    async with transaction(app.engine) as conn:
        doubted = await leases.doubt(conn, now=now, seconds=app.settings.doubt_after_seconds)
        for row in doubted:
            await history.append(
                conn,
                "message.in_doubt",
                at=now,
                prospect_id=row["prospect_id"],
                enrollment_id=row["enrollment_id"],
                message_id=row["id"],
                fence=row["fence"],
            )
            await tasks.open_task(
                conn,
                kind="in_doubt",
                title="It is not known whether this message left",
                prospect_id=row["prospect_id"],
                enrollment_id=row["enrollment_id"],
                message_id=row["id"],
                step=row["step"],
                detail={},
                now=now,
            )
        if doubted:
            point("sweep.before_commit")
    if released:
        app.ring("send")
    return Swept(len(released), len(doubted))
