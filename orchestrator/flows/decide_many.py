"""Decide about many late things at once: each in its own transaction, each at most once."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import RowMapping

from orchestrator.db import transaction
from orchestrator.errors import AvtaleError
from orchestrator.flows import ending
from orchestrator.flows.close_task import close_task
from orchestrator.store import late, standing
from orchestrator.store.late import Chosen
from orchestrator.wiring import App

Outcome = Literal["send", "skip", "stop"]
# What each means for a message that a restore has put in doubt.
_OF_DOUBT: dict[Outcome, str] = {"send": "retry", "skip": "sent", "stop": "abandoned"}
PAGE = 200


@dataclass(frozen=True, slots=True)
class Decided:
    """How many were decided so, and how many could not be, by the reason."""

    done: int
    refused: dict[str, int]


async def decide_many(
    app: App, chosen: Chosen, outcome: Outcome, *, now: datetime, by: str, most: int | None = None
) -> Decided:
    """Close what waits, at most `most`, the oldest first. What somebody else closed meanwhile, or
    what an answer has overtaken, is refused and counted."""
    done, refused, after = 0, Counter[str](), UUID(int=0)
    while most is None or done + refused.total() < most:
        room = PAGE if most is None else min(PAGE, most - done - refused.total())
        async with transaction(app.engine) as conn:
            page = await late.pick(conn, chosen, after=after, most=room)
        if not page:
            break
        after = page[-1]["id"]
        for row in page:
            try:
                await _one(app, row, outcome, now, by)
                done += 1
            except AvtaleError as error:
                refused[error.message] += 1
    app.ring("plan")
    app.ring("send")
    return Decided(done, dict(refused))


async def _one(app: App, row: RowMapping, outcome: Outcome, now: datetime, by: str) -> None:
    doubt = row["kind"] == "in_doubt"
    async with transaction(app.engine) as conn:
        if doubt and outcome == "stop":
            await standing.lock_prospects(conn, [row["prospect_id"]])
            enrolled = await standing.lock_enrollments(conn, [row["prospect_id"]])
            own = [one for one in enrolled if one["id"] == row["enrollment_id"]]
            await ending.end(conn, own, reason="task late", now=now)
        await close_task(
            conn,
            app.keys,
            task_id=row["id"],
            outcome=_OF_DOUBT[outcome] if doubt else outcome,
            now=now,
            by=by,
        )
