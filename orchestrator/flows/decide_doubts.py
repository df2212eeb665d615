"""Decide about many messages in doubt at once: what one outage left, in one go."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from orchestrator.db import transaction
from orchestrator.errors import BadInput, Conflict, NotFound
from orchestrator.flows.close_task import OUTCOMES, close_task
from orchestrator.wiring import App


@dataclass(frozen=True, slots=True)
class Decided:
    """What became of one of them: `left_alone` says why nothing was done."""

    task_id: UUID
    left_alone: str | None = None


async def decide_doubts(
    app: App, task_ids: Iterable[UUID], *, outcome: str, by: str, now: datetime
) -> list[Decided]:
    """Close each of these tasks with `outcome` (sent, retry or abandoned), each in a transaction of
    its own: one that cannot be is left alone and named. Raises BadInput for another outcome."""
    if outcome not in OUTCOMES["in_doubt"]:
        known = ", ".join(sorted(OUTCOMES["in_doubt"]))
        raise BadInput(f"A message in doubt can end in: {known}.")
    done = []
    for task_id in task_ids:
        try:
            async with transaction(app.engine) as conn:
                await close_task(
                    conn, app.keys, task_id=task_id, outcome=outcome, now=now, by=by,
                    only="in_doubt",
                )  # fmt: skip
            done.append(Decided(task_id))
        except (Conflict, NotFound, BadInput) as error:
            done.append(Decided(task_id, str(error)))
    if any(one.left_alone is None for one in done):
        app.ring("plan")
        app.ring("send")
    return done
