"""Tasks: the list, one of them with its text, what is in doubt, whose they are, hostile content."""

from uuid import UUID

import pytest
from fastapi import FastAPI
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from orchestrator.clock import database_now
from orchestrator.db import transaction
from orchestrator.flows.assign_people import assign_people
from orchestrator.ids import uuid7
from orchestrator.keys import Keys
from orchestrator.models.messages import messages
from orchestrator.models.sequences import enrollments
from orchestrator.models.work import tasks
from tests import make
from tests.console.conftest import signed_in
from tests.console.test_people import HOSTILE, counted
from tests.pages import sample

Users = dict[str, UUID]


@pytest.fixture
async def ola(engine: AsyncEngine, keys: Keys) -> sample.Someone:
    """Somebody to whom two messages have left."""
    async with transaction(engine) as conn:
        return await sample.someone(conn, keys, await sample.build(conn))


async def _task(engine: AsyncEngine, someone: sample.Someone, **values: object) -> UUID:
    made = uuid7()
    async with transaction(engine) as conn:
        await conn.execute(
            insert(tasks).values(
                **{
                    "id": made,
                    "kind": "manual",
                    "prospect_id": someone.prospect,
                    "title": "Write by hand on linkedin",
                    "detail": {"text": "Hei Ola.\n\nKort sagt.", "subject": ""},
                }
                | values
            )
        )
    return made


async def _state(engine: AsyncEngine, task: UUID) -> tuple[str, str | None]:
    async with transaction(engine) as conn:
        row = (await conn.execute(select(tasks).where(tasks.c.id == task))).one()
    return row.state, row.outcome


async def test_a_step_done_by_hand(
    site: FastAPI, users: Users, ola: sample.Someone, engine: AsyncEngine
) -> None:
    task = await _task(engine, ola)
    ops = await signed_in(site, "ops")
    listed = (await ops.get("/console/tasks")).text
    assert f"console/tasks/{task}" in listed
    assert "Ola Hansen" in listed
    shown = (await ops.get(f"/console/tasks/{task}")).text
    assert "Hei Ola.\n\nKort sagt.</textarea>" in shown
    wrong = await ops.press(f"/console/tasks/{task}/done", outcome="sent")
    assert wrong.status_code == 422
    assert "This task can end in" in wrong.text
    assert await _state(engine, task) == ("open", None)
    done = await ops.press(f"/console/tasks/{task}/done", outcome="done")
    assert done.status_code == 303
    assert "Done. The sequence goes on as you said." in (await ops.get("/console/tasks")).text
    assert await _state(engine, task) == ("done", "done")
    again = await ops.press(f"/console/tasks/{task}/done", outcome="done")
    assert again.status_code == 409
    assert "closed already" in again.text
    assert f"console/tasks/{task}" not in (await ops.get("/console/tasks")).text
    assert f"console/tasks/{task}" in (await ops.get("/console/tasks?state=done")).text


async def test_a_message_in_doubt(
    site: FastAPI, users: Users, ola: sample.Someone, engine: AsyncEngine
) -> None:
    async with transaction(engine) as conn:
        enrolled = await conn.execute(
            update(enrollments)
            .where(enrollments.c.id == ola.enrollment)
            .values(state="sending", step="offer")
            .returning(enrollments.c.sender_id)
        )
        message = uuid7()
        await conn.execute(
            insert(messages).values(
                id=message, enrollment_id=ola.enrollment, prospect_id=ola.prospect, step="offer",
                channel="email", sender_id=enrolled.scalar_one(), identity_id=ola.identity,
                due_at=await database_now(conn), rfc_message_id="<doubt@x.example>",
            )
        )  # fmt: skip
        for change in (
            {"state": "leased", "fence": 1},
            {"state": "sending", "handed_at": await database_now(conn)},
            {"state": "in_doubt"},
        ):
            await conn.execute(update(messages).where(messages.c.id == message).values(**change))
    task = await _task(
        engine, ola, kind="in_doubt", message_id=message, enrollment_id=ola.enrollment,
        step="offer", detail={},
    )  # fmt: skip
    ops = await signed_in(site, "ops")
    shown = (await ops.get(f"/console/tasks/{task}")).text
    for words in ("What is known", "If it did leave, they get it twice.", 'value="abandoned"',
                  'value="sent"', 'value="retry"'):  # fmt: skip
        assert words in shown, words
    answer = await ops.press(f"/console/tasks/{task}/done", outcome="sent")
    assert answer.status_code == 303, answer.text
    async with transaction(engine) as conn:
        state = await conn.scalar(select(messages.c.state).where(messages.c.id == message))
    assert state == "sent"


async def test_an_unclear_answer_needs_a_day_for_not_now(
    site: FastAPI, users: Users, ola: sample.Someone, engine: AsyncEngine
) -> None:
    task = await _task(engine, ola, kind="unclear_answer", detail={"kind": "reply"})
    ops = await signed_in(site, "ops")
    for until in ("", "2001-01-01", "soon"):
        at = f"/console/tasks/{task}/done"
        assert (await ops.press(at, outcome="not_now", until=until)).status_code == 422
    assert await _state(engine, task) == ("open", None)
    kept = await ops.press(f"/console/tasks/{task}/done", outcome="not_now", until="2199-02-01")
    assert kept.status_code == 303, kept.text
    assert await _state(engine, task) == ("done", "not_now")


async def test_a_rep_has_only_their_own(
    site: FastAPI, users: Users, ola: sample.Someone, engine: AsyncEngine, keys: Keys
) -> None:
    async with transaction(engine) as conn:
        other = sample.Someone(await make.prospect(conn, keys), uuid7(), uuid7(), [], [])
        now = await database_now(conn)
        await assign_people(conn, prospect_ids=[ola.prospect], owner_id=users["rep"], now=now)
    own, strange = await _task(engine, ola), await _task(engine, other)
    nobodys = await _task(engine, other, prospect_id=None, kind="subscription_disabled")
    rep = await signed_in(site, "rep")
    listed = (await rep.get("/console/tasks")).text
    assert str(own) in listed
    for task in (strange, nobodys):
        assert str(task) not in listed
        assert (await rep.get(f"/console/tasks/{task}")).status_code == 404
        pressed = await rep.press(f"/console/tasks/{task}/done", outcome="done")
        assert pressed.status_code == 404
        assert (await _state(engine, task))[0] == "open"
    assert (await rep.get(f"/console/tasks/{own}")).status_code == 200
    viewer = await signed_in(site, "viewer")
    assert "/done" not in (await viewer.get(f"/console/tasks/{own}")).text


async def test_hostile_content_is_text(
    site: FastAPI, users: Users, engine: AsyncEngine, keys: Keys
) -> None:
    async with transaction(engine) as conn:
        made = await sample.someone(
            conn, keys, await sample.build(conn), subject=HOSTILE, text=HOSTILE, first_name=HOSTILE
        )
    by_hand = {"text": f"</textarea>{HOSTILE}", "subject": HOSTILE, "profile": "javascript:alert()"}
    ids = [
        await _task(engine, made, title=HOSTILE, step=HOSTILE, detail=by_hand),
        await _task(
            engine, made, title=HOSTILE, kind="missing_fact", detail={"missing": [HOSTILE]}
        ),
        await _task(
            engine, made, title=HOSTILE, kind="in_doubt", message_id=made.messages[0], detail={}
        ),
    ]
    ops = await signed_in(site, "ops")
    for path in ("", f"?kind={HOSTILE}", *(f"/{one}" for one in ids)):
        shown = (await ops.get(f"/console/tasks{path}")).text
        for bad in (
            "<script>window",
            "<img src=x",
            "\u202e",
            "\u200b",
            "javascript:",
            "</textarea><",
        ):
            assert bad not in shown, (path, bad)


async def test_as_many_queries_for_many_as_for_one(
    site: FastAPI, users: Users, ola: sample.Someone, engine: AsyncEngine
) -> None:
    ops = await signed_in(site, "ops")
    counts = []
    for more in (1, 60):
        for _ in range(more):
            await _task(engine, ola)
        with counted(site) as statements:
            await ops.get("/console/tasks")
        counts.append(len(statements))
    assert counts[0] == counts[1]
    assert counts[0] <= 6
