"""The hands that let a held enrollment go on, shared by closing a task and by a late date."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.rules import progress
from orchestrator.rules.program import END, Duration, Program, SendStep, TaskStep
from orchestrator.rules.window import add_duration
from orchestrator.rules.zones import plausible_zones
from orchestrator.store import history, late, leases, standing, tasks

_ON_ITS_WAY = frozenset({"pending", "retry_wait", "leased", "sending", "in_doubt"})


async def go_on(
    conn: AsyncConnection, row: RowMapping, person: RowMapping, *, now: datetime
) -> None:
    """Let a held, locked enrollment go on where it stood. A message of its step that is on its way
    decides when; one that left, failed or was cancelled meanwhile lies behind it."""
    state = await standing.message_state(conn, row["id"], row["step"])
    if state is None:
        await standing.resume_enrollment(conn, row["id"], state="active", due_at=now)
    elif state in _ON_ITS_WAY:
        await standing.resume_enrollment(conn, row["id"], state="sending", due_at=None)
        await leases.wake(conn, now=now, prospect=row["prospect_id"])
    else:
        await next_step(conn, row, person, now=now)
        return
    await tell_resumed(conn, row, now=now)


async def tell_resumed(conn: AsyncConnection, row: RowMapping, *, now: datetime) -> None:
    """The line of history of an enrollment that goes on where it stood."""
    await history.append(
        conn,
        "enrollment.resumed",
        at=now,
        prospect_id=row["prospect_id"],
        enrollment_id=row["id"],
        step=row["step"],
    )


async def next_step(
    conn: AsyncConnection, row: RowMapping, person: RowMapping, *, now: datetime
) -> None:
    """Move a locked enrollment past the message or task where it stands. A message that left before
    a restore counts from then, and what followed it is asked about as well (L2)."""
    program = Program.model_validate(row["definition"])
    at = program.step(row["step"])
    if not isinstance(at, SendStep | TaskStep):
        await standing.finish_enrollment(conn, row["id"], now=now)
        await tell(conn, row, "enrollment.finished", row["step"], now)
        return
    zones = plausible_zones(
        zone=person["zone"],
        country=person["country"],
        phone=person["phone"],
        language=person["language"],
    )

    def add(duration: Duration, start: datetime) -> datetime:
        return add_duration(duration, start, zones, person["country"])

    before = await late.left_before(conn, row["id"], row["step"])
    start = before.left_at if before else now
    step, due_at = progress.after(program, row["step"], start, add)
    ask_until = before.restored_at if before else None
    await stand_at(conn, row, step, due_at, ask_until=ask_until, now=now)


async def stand_at(
    conn: AsyncConnection,
    row: RowMapping,
    step: str,
    due_at: datetime,
    *,
    ask_until: datetime | None,
    now: datetime,
) -> None:
    """Put a locked enrollment on `step`. What was due by `ask_until`, when the database was
    restored, may have left: it is held, and a person is asked."""
    # A wait that ended in the past is over: it does not begin anew.
    entered = now if ask_until is None else min(now, due_at - timedelta(microseconds=1))
    await standing.move_enrollment(conn, row["id"], step=step, due_at=due_at, now=entered)
    await tell(conn, row, "enrollment.moved", step, now)
    if ask_until is None or due_at > ask_until or step == END:
        return
    await standing.hold_enrollments(conn, [row["id"]])
    await tasks.open_task(
        conn,
        kind="late",
        title="Its next message may have left after the backup was taken",
        prospect_id=row["prospect_id"],
        enrollment_id=row["id"],
        step=step,
        detail={"reason": "restored", "due": due_at.isoformat()},
        now=now,
    )


async def tell(conn: AsyncConnection, row: RowMapping, kind: str, step: str, now: datetime) -> None:
    """A line of history of an enrollment that went from its step to `step`."""
    await history.append(
        conn,
        kind,
        at=now,
        prospect_id=row["prospect_id"],
        enrollment_id=row["id"],
        step=step,
        was=row["step"],
    )


async def await_admission(conn: AsyncConnection, row: RowMapping, *, now: datetime) -> None:
    """The invitation of a locked enrollment's step has left: the planner looks at once whether they
    have let us in, and waits if not."""
    await standing.move_enrollment(conn, row["id"], step=row["step"], due_at=now, now=now)
    await history.append(
        conn,
        "enrollment.waits",
        at=now,
        prospect_id=row["prospect_id"],
        enrollment_id=row["id"],
        step=row["step"],
        on="request",
    )


async def go_on_all(
    conn: AsyncConnection, prospect_id: UUID, person: RowMapping, *, now: datetime
) -> None:
    """Let every held enrollment of a person go on that no open task keeps back. While an answer is
    unread, none goes on."""
    own, unread = await tasks.blocking(conn, prospect_id)
    if unread:
        return
    for row in await standing.lock_enrollments(conn, [prospect_id]):
        if row["state"] == "held" and row["id"] not in own:
            await go_on(conn, row, person, now=now)
