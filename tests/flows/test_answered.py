"""An answer, and what may leave after it: planner, sender and gate together (L4)."""

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from channels.base import Unknown
from channels.fake import FakeChannel
from orchestrator.clock import database_now
from orchestrator.db import transaction
from orchestrator.flows.close_task import close_task
from orchestrator.flows.plan import plan
from orchestrator.sender import drain
from orchestrator.wiring import App
from tests import make
from tests.flows.coming import say, second_sequence


async def planned(app: App) -> UUID:
    """A prospect whose first message waits in the outbox."""
    async with transaction(app.engine) as conn:
        made = await make.world(conn)
        who = await make.prospect(conn, app.keys)
        now = await database_now(conn)
        await make.enrollment(conn, made, who, now=now)
    await plan(app, now)
    return who


async def rows(app: App, query: str) -> list[Any]:
    async with transaction(app.engine) as conn:
        return list((await conn.execute(text(query))).all())


async def answer(app: App, who: UUID, meaning: str) -> None:
    async with transaction(app.engine) as conn:
        now = await database_now(conn)
        await say(conn, app.keys, who, meaning, now=now, happened_at=now)


async def move(app: App) -> int:
    """One round of the planner and the sender; how many messages left."""
    async with transaction(app.engine) as conn:
        now = await database_now(conn)
    await plan(app, now)
    return await drain(app)


async def test_after_interest_only_the_offer_leaves_and_once(app: App) -> None:
    who = await planned(app)
    assert await move(app) == 1
    await answer(app, who, "interested")
    assert await move(app) == 1
    await answer(app, who, "interested")
    assert await move(app) == 0
    assert await move(app) == 0
    kinds = await rows(app, "select kind, state from messages order by created_at, id")
    assert kinds == [("outreach", "sent"), ("call_offer", "sent")]
    assert await rows(app, "select count(*) from unlocks") == [(1,)]


async def test_an_unclear_answer_holds_the_next_message_and_does_not_lose_it(app: App) -> None:
    who = await planned(app)
    await answer(app, who, "unclear")
    assert await move(app) == 0
    assert await rows(app, "select state from messages") == [("pending",)]
    ((task,),) = await rows(app, "select id from tasks")
    async with transaction(app.engine) as conn:
        now = await database_now(conn)
        await close_task(conn, app.keys, task_id=task, outcome="continue", now=now)
    assert await move(app) == 1


async def test_after_a_no_nothing_leaves(app: App) -> None:
    who = await planned(app)
    await answer(app, who, "no")
    assert await move(app) == 0
    channel = app.channels["email"]
    assert isinstance(channel, FakeChannel)
    assert channel.sent == []


async def close(app: App, kind: str, outcome: str) -> None:
    async with transaction(app.engine) as conn:
        now = await database_now(conn)
        found = await conn.execute(
            text("select id from tasks where kind = :kind and state = 'open' order by id limit 1"),
            {"kind": kind},
        )
        await close_task(conn, app.keys, task_id=found.scalar_one(), outcome=outcome, now=now)


@pytest.mark.parametrize(
    ("outcome", "stands"), [("sent", "active"), ("retry", "sending"), ("abandoned", "active")]
)
@pytest.mark.parametrize("first", ["unclear_answer", "in_doubt"])
async def test_a_doubt_and_an_unread_answer_leave_nothing_held(
    app: App, outcome: str, stands: str, first: str
) -> None:
    """In whatever order a person closes the two tasks, the sequence goes on."""
    who = await planned(app)
    channel = app.channels["email"]
    assert isinstance(channel, FakeChannel)
    channel.after.append(Unknown("no answer to the final dot"))
    await move(app)
    await answer(app, who, "unclear")
    how = {"unclear_answer": "continue", "in_doubt": outcome}
    for kind in sorted(how, key=lambda kind: kind != first):
        await close(app, kind, how[kind])
    assert await rows(app, "select state from enrollments") == [(stands,)]


async def test_every_unclear_answer_is_read_before_anything_moves(app: App) -> None:
    """The second mail of somebody may be the one that says no."""
    who = await planned(app)
    await answer(app, who, "unclear")
    await answer(app, who, "unclear")
    await close(app, "unclear_answer", "continue")
    assert await move(app) == 0
    await close(app, "unclear_answer", "continue")
    assert await move(app) == 1


async def two_sequences(app: App) -> tuple[UUID, UUID]:
    """A prospect whom somebody of ours took out of one sequence, and who is in another one: the
    prospect, and the enrollment that was stopped."""
    async with transaction(app.engine) as conn:
        now = await database_now(conn)
        made = await make.world(conn)
        other = await second_sequence(conn, made)
        who = await make.prospect(conn, app.keys)
        over = {"state": "stopped", "stop_reason": "by hand", "due_at": None}
        stopped = await make.enrollment(conn, made, who, now=now, **over)
        await make.enrollment(conn, other, who, now=now)
    return who, stopped


async def test_interest_about_a_stopped_sequence_stops_the_one_that_runs(app: App) -> None:
    """L4: they have answered, whatever it was that they answered to."""
    who, stopped = await two_sequences(app)
    async with transaction(app.engine) as conn:
        now = await database_now(conn)
        await say(conn, app.keys, who, "interested", enrollment_id=stopped, now=now)
    assert await move(app) == 0
    assert await rows(app, "select count(*) from tasks where state = 'open'") == [(1,)]


async def test_an_answer_that_was_read_leaves_nothing_held(app: App) -> None:
    """An unclear answer holds every sequence; reading it must not leave one held for ever."""
    who, stopped = await two_sequences(app)
    async with transaction(app.engine) as conn:
        now = await database_now(conn)
        await say(conn, app.keys, who, "unclear", enrollment_id=stopped, now=now)
    ((task,),) = await rows(app, "select id from tasks")
    async with transaction(app.engine) as conn:
        await close_task(conn, app.keys, task_id=task, outcome="interested", now=now)
    states = (
        "select state, stop_reason from enrollments where stop_reason is distinct from 'by hand'"
    )
    assert await rows(app, states) == [("stopped", "answered elsewhere")]
