"""The planner on a real database: each step becomes what it should, once."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select, text, update

from orchestrator.db import transaction
from orchestrator.flows.plan import plan
from orchestrator.flows.plan_backlog import plan_backlog
from orchestrator.ids import uuid7
from orchestrator.models.messages import messages
from orchestrator.models.people import facts, prospects
from orchestrator.models.sequences import enrollments
from orchestrator.models.work import history, tasks
from orchestrator.rules.watermark import Watermarks
from orchestrator.wiring import App
from tests import make
from tests.make import NOW


async def enrolled(app: App, program: dict[str, Any] | None = None, **person: Any) -> UUID:
    async with transaction(app.engine) as conn:
        made = await make.world(conn, program=program)
        owner = await make.prospect(conn, app.keys, **person)
        return await make.enrollment(conn, made, owner)


async def one(app: App, table: Any, **where: Any) -> Any:
    async with transaction(app.engine) as conn:
        query = select(table)
        for name, value in where.items():
            query = query.where(table.c[name] == value)
        return (await conn.execute(query)).mappings().one()


def program(*steps: dict[str, Any], **top: Any) -> dict[str, Any]:
    return make.PROGRAM | {"first": steps[0]["id"], "steps": list(steps)} | top


SEND = {
    "kind": "send",
    "id": "hello",
    "next": "end",
    "channels": ["email"],
    "wordings": {"en": {"subject": "Hi", "text": "Hello {{ first_name }}."}},
}


async def test_a_due_send_step_becomes_one_pending_message(app: App) -> None:
    enrollment = await enrolled(app)
    assert await plan(app, NOW) == 1
    assert await plan(app, NOW) == 0
    message = await one(app, messages, enrollment_id=enrollment)
    assert (message["state"], message["step"], message["due_at"]) == ("pending", "hello", NOW)
    assert message["rfc_message_id"].endswith("@sender.example>")
    row = await one(app, enrollments, id=enrollment)
    assert (row["state"], row["due_at"]) == ("sending", None)


async def test_planners_side_by_side_plan_each_step_once(app: App) -> None:
    async with transaction(app.engine) as conn:
        made = await make.world(conn)
        for _ in range(40):
            owner = await make.prospect(conn, app.keys)
            await make.enrollment(conn, made, owner)
    counts = await asyncio.gather(*(plan(app, NOW, batch=7) for _ in range(8)))
    while await plan(app, NOW):
        pass
    async with transaction(app.engine) as conn:
        total = await conn.execute(
            text("select count(*), count(distinct enrollment_id) from messages")
        )
        assert tuple(total.one()) == (40, 40)
    assert sum(counts) <= 40


async def test_a_message_waits_for_the_prospects_window(app: App) -> None:
    window = {"days": "mon-fri", "hours": "08:00-16:00"}
    enrollment = await enrolled(app, program(SEND, window=window), zone="America/New_York")
    await plan(app, NOW)  # 04:00 in New York
    message = await one(app, messages, enrollment_id=enrollment)
    assert message["due_at"] == NOW.replace(hour=13)


async def test_missing_fact_becomes_a_task_that_names_it(app: App) -> None:
    """L6: no homework, no message."""
    step = SEND | {"wordings": {"en": {"subject": "Hi", "text": "About {{ fact.pain }}."}}}
    enrollment = await enrolled(app, program(step))
    await plan(app, NOW)
    task = await one(app, tasks, enrollment_id=enrollment)
    assert (task["kind"], task["title"]) == ("missing_fact", "Missing: fact.pain")
    assert (await one(app, enrollments, id=enrollment))["state"] == "held"
    async with transaction(app.engine) as conn:
        assert (await conn.execute(select(messages))).first() is None


async def test_a_blank_fact_is_a_missing_fact(app: App) -> None:
    step = SEND | {"wordings": {"en": {"subject": "Hi", "text": "About {{ fact.pain }}."}}}
    enrollment = await enrolled(app, program(step))
    row = await one(app, enrollments, id=enrollment)
    async with transaction(app.engine) as conn:
        await conn.execute(
            insert(facts).values(
                id=uuid7(), prospect_id=row["prospect_id"], name="pain", value="  "
            )
        )
    await plan(app, NOW)
    assert (await one(app, tasks, enrollment_id=enrollment))["kind"] == "missing_fact"


async def test_an_unknown_zone_never_widens_the_window(app: App) -> None:
    """L5: with no common hour the message waits for a person, it does not guess."""
    window = {"days": "mon-fri", "hours": "08:00-16:00"}
    nowhere = {"zone": None, "country": None, "language": None, "address": "a@prospect.example"}
    enrollment = await enrolled(app, program(SEND, window=window), **nowhere)
    await plan(app, NOW)
    assert (await one(app, tasks, enrollment_id=enrollment))["kind"] == "missing_zone"


async def test_waits_branches_and_the_end(app: App) -> None:
    steps = (
        {"kind": "wait", "id": "w", "next": "b", "duration": {"amount": 2, "unit": "hours"}},
        {
            "kind": "branch",
            "id": "b",
            "cases": [{"when": "fact.size", "go": "t"}],
            "otherwise": "end",
        },
        {"kind": "task", "id": "t", "next": "end", "title": "Ring the bell"},
    )
    enrollment = await enrolled(app, program(*steps))
    await plan(app, NOW)
    row = await one(app, enrollments, id=enrollment)
    assert (row["step"], row["due_at"]) == ("w", NOW + timedelta(hours=2))
    assert await plan(app, NOW + timedelta(minutes=119)) == 0
    await plan(app, NOW + timedelta(hours=2))
    row = await one(app, enrollments, id=enrollment)
    assert (row["state"], row["stop_reason"]) == ("finished", "completed")


async def test_silence_takes_the_otherwise_edge(app: App) -> None:
    enrollment = await enrolled(app)
    async with transaction(app.engine) as conn:
        await conn.execute(update(enrollments).values(step="listen"))
    await plan(app, NOW)
    row = await one(app, enrollments, id=enrollment)
    assert (row["step"], row["state"]) == ("listen", "active")
    await plan(app, row["due_at"])
    assert (await one(app, enrollments, id=enrollment))["state"] == "finished"


async def test_a_call_step_without_an_unlock_offers_nothing(app: App) -> None:
    """L1: even when a hand in the database puts somebody there."""
    enrollment = await enrolled(app)
    async with transaction(app.engine) as conn:
        await conn.execute(update(enrollments).values(step="offer"))
    await plan(app, NOW)
    assert (await one(app, enrollments, id=enrollment))["state"] == "held"
    async with transaction(app.engine) as conn:
        assert (await conn.execute(select(messages))).first() is None


async def test_paused_people_are_not_planned(app: App) -> None:
    enrollment = await enrolled(app)
    async with transaction(app.engine) as conn:
        await conn.execute(update(prospects).values(paused_at=NOW))
    assert await plan(app, NOW) == 0
    assert (await one(app, enrollments, id=enrollment))["state"] == "active"


async def test_every_move_is_told(app: App) -> None:
    enrollment = await enrolled(app)
    await plan(app, NOW)
    line = await one(app, history, enrollment_id=enrollment)
    assert line["kind"] == "message.planned"
    assert line["message_id"] is not None


async def test_one_odd_enrollment_does_not_stop_the_planner(app: App) -> None:
    enrollment = await enrolled(app)
    async with transaction(app.engine) as conn:
        await conn.execute(update(enrollments).values(step="a-step-that-never-was"))
    assert await plan(app, NOW) == 1
    task = await one(app, tasks, enrollment_id=enrollment)
    assert task["title"].startswith("The planner could not decide")
    assert await plan(app, NOW) == 0


async def test_a_backlog_is_planned_whole(app: App) -> None:
    """Two batches side by side, each behind the watermark of those before: all are planned, once,
    and what comes to lie before the mark is next."""
    async with transaction(app.engine) as conn:
        made = await make.world(conn)
        owners = [await make.prospect(conn, app.keys) for _ in range(23)]
        for owner in owners[:-1]:
            await make.enrollment(conn, made, owner)
    assert await plan_backlog(app, NOW, batch=4) == 22
    async with transaction(app.engine) as conn:
        await make.enrollment(conn, made, owners[-1], due_at=NOW - timedelta(days=1))
    assert await plan_backlog(app, NOW, batch=4) == 1
    async with transaction(app.engine) as conn:
        total = await conn.execute(
            text("select count(*), count(distinct enrollment_id) from messages")
        )
        assert tuple(total.one()) == (23, 23)


async def test_a_batch_goes_on_after_the_mark(app: App) -> None:
    async with transaction(app.engine) as conn:
        made = await make.world(conn)
        for _ in range(3):
            owner = await make.prospect(conn, app.keys)
            await make.enrollment(conn, made, owner)
    marks = Watermarks()
    assert await plan(app, NOW, batch=2, watermarks=marks) == 2
    async with transaction(app.engine) as conn:
        owner = await make.prospect(conn, app.keys)
        await make.enrollment(conn, made, owner, due_at=NOW - timedelta(days=1))
    assert await plan(app, NOW, batch=2, watermarks=marks) == 1
    assert await plan(app, NOW, batch=2, watermarks=marks) == 1
