"""What could have left long ago waits for a person (B10), who decides each at most once (L2)."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from orchestrator.clock import database_now
from orchestrator.db import transaction
from orchestrator.flows.close_task import close_task
from orchestrator.flows.engage import engage
from orchestrator.flows.plan import plan
from orchestrator.flows.resume_sender import resume_sender
from orchestrator.flows.verify import verify
from orchestrator.sender import drain
from orchestrator.store import restored
from orchestrator.wiring import App
from tests import make


async def rows(app: App, query: str, **values: Any) -> list[Any]:
    async with transaction(app.engine) as conn:
        return [tuple(row) for row in (await conn.execute(text(query), values)).all()]


async def planned(app: App, count: int = 1, **sender: Any) -> None:
    """People whose first message waits."""
    async with transaction(app.engine) as conn:
        made = await make.world(conn, **sender)
        now = await database_now(conn)
        for _ in range(count):
            await make.enrollment(conn, made, await make.prospect(conn, app.keys), now=now)
    await plan(app, now)


async def outage(app: App, hours: float) -> None:
    """Everything stood still for so long."""
    async with transaction(app.engine) as conn:
        for change in (
            "update messages set due_at = due_at - make_interval(secs => :s)",
            "update lanes set free_at = free_at - make_interval(secs => :s)",
        ):
            await conn.execute(text(change), {"s": hours * 3600})


async def decide(app: App, outcome: str, kind: str = "late") -> None:
    ids = await rows(app, "select id from tasks where state = 'open' and kind = :k", k=kind)
    for (task,) in ids:
        async with transaction(app.engine) as conn:
            now = await database_now(conn)
            await close_task(conn, app.keys, task_id=task, outcome=outcome, now=now)


async def clean(app: App) -> None:
    async with transaction(app.engine) as conn:
        now = await database_now(conn)
    assert (await verify(app, now, settle_seconds=0)).differences == []


@pytest.mark.parametrize(("hours", "left"), [(23.0, 1), (25.0, 0), (24.0 * 365, 0)])
async def test_an_outage_longer_than_the_limit_asks(app: App, hours: float, left: int) -> None:
    await planned(app)
    await outage(app, hours)
    assert await drain(app) == left
    assert await drain(app) == 0
    asked = [("late", "open")] if not left else []
    assert await rows(app, "select kind, state from tasks") == asked
    await clean(app)


async def test_what_a_cap_kept_waiting_is_not_late(app: App) -> None:
    """A queue of weeks is no outage: what could not have left earlier is not late."""
    await planned(app, 2, daily_cap=1)
    async with transaction(app.engine) as conn:
        await conn.execute(text("update messages set due_at = due_at - interval '20 days'"))
        await conn.execute(text("update lanes set free_at = now() - interval '1 minute'"))
    assert await drain(app) == 1
    assert await rows(app, "select count(*) from tasks") == [(0,)]


async def test_what_a_person_paused_and_lets_go_on_is_not_late(app: App) -> None:
    await planned(app)
    await outage(app, 100)
    async with transaction(app.engine) as conn:
        await conn.execute(text("update senders set paused_at = now()"))
    async with transaction(app.engine) as conn:
        now = await database_now(conn)
        await resume_sender(conn, name="kari", now=now)
    assert await drain(app) == 1


@pytest.mark.parametrize(
    ("outcome", "handed", "state", "step"),
    [
        ("send", 1, "sent", "wait-1"),
        ("skip", 0, "cancelled", "wait-1"),
        ("stop", 0, "cancelled", "hello"),
    ],
)
async def test_a_person_decides_once(
    app: App, outcome: str, handed: int, state: str, step: str
) -> None:
    await planned(app)
    await outage(app, 48)
    assert await drain(app) == 0
    await decide(app, outcome)
    assert await drain(app) == handed
    assert await drain(app) == 0
    assert await rows(app, "select state from messages") == [(state,)]
    assert await rows(app, "select step from enrollments") == [(step,)]
    await clean(app)


async def restore(app: App, *, snapshot_hours: float) -> None:
    """As if a snapshot of so long ago had just been restored."""
    async with transaction(app.engine) as conn:
        now = await database_now(conn)
        await restored.hold_all(conn, snapshot=now - timedelta(hours=snapshot_hours), now=now)


async def test_after_a_restore_what_left_is_not_sent_and_what_followed_is_asked_about(
    app: App,
) -> None:
    """The snapshot is ten days old: `hello` left then, and after three days `more` did too."""
    await planned(app)
    await outage(app, 240)
    await restore(app, snapshot_hours=240)
    assert await drain(app) == 0
    await decide(app, "sent", kind="in_doubt")
    assert await rows(app, "select state, step from enrollments") == [("held", "wait-1")]
    await plan_now(app)
    assert await drain(app) == 0
    await decide(app, "skip")  # `more` left as well; ten days of listening end in the future
    ((state, step, ahead),) = await rows(app, "select state, step, due_at > now() from enrollments")
    assert (state, step, ahead) == ("active", "listen", True)
    await plan_now(app)
    assert await drain(app) == 0
    assert await rows(app, "select count(*) from messages") == [(1,)]
    await clean(app)


async def plan_now(app: App) -> None:
    async with transaction(app.engine) as conn:
        now = await database_now(conn)
    await plan(app, now)


async def test_after_a_restore_the_last_message_that_left_ends_the_sequence(app: App) -> None:
    steps = [make.PROGRAM["steps"][0] | {"next": "end"}]
    await planned(app, program=make.PROGRAM | {"steps": steps})
    await restore(app, snapshot_hours=1)
    await decide(app, "sent", kind="in_doubt")
    await plan_now(app)
    assert await rows(app, "select state from enrollments") == [("finished",)]
    await clean(app)


async def test_after_a_restore_what_had_not_left_is_sent_once(app: App) -> None:
    await planned(app)
    await restore(app, snapshot_hours=1)
    await decide(app, "retry", kind="in_doubt")
    assert await drain(app) == 1
    assert await drain(app) == 0
    ((state, step, ahead),) = await rows(
        app, "select state, step, due_at > now() + interval '2 days' from enrollments"
    )
    assert (state, step, ahead) == ("active", "wait-1", True)
    await clean(app)


async def test_what_is_to_come_goes_on_by_itself_after_a_restore(app: App) -> None:
    """A wait that ends after the restore cannot have ended before it."""
    await planned(app)
    assert await drain(app) == 1
    await restore(app, snapshot_hours=1)
    assert await rows(app, "select state, step from enrollments") == [("active", "wait-1")]
    assert await rows(app, "select count(*) from tasks") == [(0,)]


@pytest.mark.parametrize(("outcome", "handed"), [("send", 1), ("skip", 0)])
async def test_an_answer_that_is_read_again_offers_no_second_call(
    app: App, outcome: str, handed: int
) -> None:
    """The reply came after the snapshot and before the restore: the original offered the call."""
    await planned(app)
    assert await drain(app) == 1
    await restore(app, snapshot_hours=1)
    await answer(app, before=timedelta(minutes=30))
    await plan_now(app)
    assert await drain(app) == 0
    assert await rows(app, "select kind, step from tasks where state = 'open'") == [
        ("late", "offer")
    ]
    await decide(app, outcome)
    await plan_now(app)
    assert await drain(app) == handed
    assert await drain(app) == 0
    await clean(app)


async def test_an_answer_after_the_restore_is_as_any_other(app: App) -> None:
    await planned(app)
    assert await drain(app) == 1
    await restore(app, snapshot_hours=1)
    await answer(app, before=timedelta())
    await plan_now(app)
    assert await drain(app) == 1


async def answer(app: App, *, before: timedelta) -> None:
    """They wrote that they are interested, so long ago."""
    async with transaction(app.engine) as conn:
        now = await database_now(conn)
        owner = (await conn.execute(text("select id from prospects"))).scalar_one()
        await engage(
            conn,
            app.keys,
            prospect_id=owner,
            kind="reply",
            grade="human",
            meaning="interested",
            happened_at=now - before,
            now=now,
        )
