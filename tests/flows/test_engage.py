"""An engagement and what it moves, on a real database (L1, L4)."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from sqlalchemy import delete, update
from sqlalchemy.ext.asyncio import AsyncEngine

from orchestrator.db import transaction
from orchestrator.flows.close_task import close_task
from orchestrator.flows.stop_person import stop_person
from orchestrator.keys import Keys
from orchestrator.models.calls import hosts
from orchestrator.models.engagement import engagements, unlocks
from orchestrator.models.messages import messages
from orchestrator.models.people import prospects
from orchestrator.models.sequences import enrollments
from orchestrator.models.work import history, tasks
from orchestrator.store.tasks import open_task
from tests import make
from tests.flows.coming import all_of, enrolled_with_message, person, row_of, say, second_sequence
from tests.make import NOW


async def test_interest_unlocks_once_and_moves_to_the_offer(
    engine: AsyncEngine, keys: Keys
) -> None:
    async with transaction(engine) as conn:
        who, enrolled, message = await person(conn, keys, await make.world(conn))
        first = await say(conn, keys, who, "interested", message_id=message)
        await say(conn, keys, who, "interested", message_id=message)
        row = await row_of(conn, enrollments, enrolled)
        assert (row["state"], row["step"], row["due_at"]) == ("active", "offer", NOW)
        assert row["answered_at"] == NOW
        assert (await row_of(conn, messages, message))["state"] == "cancelled"
        [unlock] = await all_of(conn, unlocks)
        assert (unlock["engagement_id"], unlock["minutes"]) == (first, 20)
        assert len(await all_of(conn, engagements)) == 2
        kinds = [line["kind"] for line in await all_of(conn, history)]
        assert kinds.count("enrollment.unlocked") == 1
        assert "message.cancelled" in kinds


@pytest.mark.parametrize(
    ("kind", "grade"),
    [
        ("open", "ambiguous"),
        ("click", "ambiguous"),
        ("auto_reply", "machine"),
        ("bounce", "machine"),
    ],
)
async def test_machines_never_unlock_whatever_their_number(
    engine: AsyncEngine, keys: Keys, kind: str, grade: Any
) -> None:
    async with transaction(engine) as conn:
        who, enrolled, message = await person(conn, keys, await make.world(conn))
        for _ in range(20):
            await say(conn, keys, who, "interested", kind=kind, grade=grade, message_id=message)
        assert await all_of(conn, unlocks) == []
        assert (await row_of(conn, enrollments, enrolled))["state"] == "sending"
        assert (await row_of(conn, messages, message))["state"] == "pending"


async def test_other_running_sequences_give_way(engine: AsyncEngine, keys: Keys) -> None:
    async with transaction(engine) as conn:
        world = await make.world(conn)
        who, _, message = await person(conn, keys, world)
        other, waiting = await enrolled_with_message(conn, await second_sequence(conn, world), who)
        await say(conn, keys, who, "interested", message_id=message)
        row = await row_of(conn, enrollments, other)
        assert (row["state"], row["stop_reason"]) == ("stopped", "answered elsewhere")
        assert (await row_of(conn, messages, waiting))["state"] == "cancelled"
        assert len(await all_of(conn, unlocks)) == 1


async def test_an_answer_stops_the_company_when_the_sequence_says_so(
    engine: AsyncEngine, keys: Keys
) -> None:
    async with transaction(engine) as conn:
        world = await make.world(conn, program=make.PROGRAM | {"stop_company": True})
        who, _, message = await person(conn, keys, world)
        company = (await row_of(conn, prospects, who))["company_id"]
        _, near, near_message = await person(conn, keys, world, company_id=company)
        _, far, _ = await person(conn, keys, world)
        await say(conn, keys, who, "unclear", message_id=message)
        row = await row_of(conn, enrollments, near)
        assert (row["state"], row["stop_reason"]) == ("stopped", "company: a colleague answered")
        assert (await row_of(conn, messages, near_message))["state"] == "cancelled"
        assert (await row_of(conn, enrollments, far))["state"] == "sending"


async def test_no_ends_it_and_stop_opts_out(engine: AsyncEngine, keys: Keys) -> None:
    async with transaction(engine) as conn:
        world = await make.world(conn)
        who, enrolled, message = await person(conn, keys, world)
        await say(conn, keys, who, "no", message_id=message)
        row = await row_of(conn, enrollments, enrolled)
        assert (row["state"], row["stop_reason"]) == ("stopped", "declined")
        assert (await row_of(conn, prospects, who))["opted_out_at"] is None
        who, enrolled, message = await person(conn, keys, world)
        await say(conn, keys, who, "stop", message_id=message)
        assert (await row_of(conn, prospects, who))["opted_out_at"] == NOW
        assert (await row_of(conn, messages, message))["state"] == "cancelled"


async def test_after_an_opt_out_even_interest_does_not_unlock(
    engine: AsyncEngine, keys: Keys
) -> None:
    async with transaction(engine) as conn:
        who, _, message = await person(conn, keys, await make.world(conn))
        await stop_person(conn, prospect_id=who, reason="opt_out", now=NOW)
        await say(conn, keys, who, "interested", message_id=message)
        assert await all_of(conn, unlocks) == []
        [task] = await all_of(conn, tasks)
        assert task["kind"] == "unclear_answer"


@pytest.mark.parametrize(
    "values", [{"state": "finished"}, {"state": "stopped", "stop_reason": "declined"}]
)
async def test_late_interest_is_interest(
    engine: AsyncEngine, keys: Keys, values: dict[str, str]
) -> None:
    async with transaction(engine) as conn:
        who, enrolled, message = await person(conn, keys, await make.world(conn))
        await conn.execute(update(messages).values(state="cancelled"))
        await conn.execute(update(enrollments).values(step="listen", ended_at=NOW, **values))
        await say(conn, keys, who, "interested", message_id=message)
        row = await row_of(conn, enrollments, enrolled)
        assert (row["state"], row["step"], row["ended_at"]) == ("active", "offer", None)
        assert len(await all_of(conn, unlocks)) == 1


async def test_not_now_moves_everything_to_the_date(engine: AsyncEngine, keys: Keys) -> None:
    async with transaction(engine) as conn:
        who, enrolled, message = await person(conn, keys, await make.world(conn))
        await say(conn, keys, who, "not_now", until=date(2027, 3, 1), message_id=message)
        then = datetime(2027, 2, 28, 23, 0, tzinfo=UTC)  # midnight in Oslo
        assert (await row_of(conn, prospects, who))["not_before"] == then
        row = await row_of(conn, messages, message)
        assert (row["state"], row["due_at"]) == ("pending", then)
        row = await row_of(conn, enrollments, enrolled)
        assert (row["state"], row["answered_at"]) == ("sending", None)
        assert await all_of(conn, unlocks) == []


@pytest.mark.parametrize(
    ("outcome", "state", "unlocked"),
    [("interested", "active", 1), ("no", "stopped", 0), ("continue", "sending", 0)],
)
async def test_unclear_waits_for_a_reader(
    engine: AsyncEngine, keys: Keys, outcome: str, state: str, unlocked: int
) -> None:
    async with transaction(engine) as conn:
        who, enrolled, message = await person(conn, keys, await make.world(conn))
        first = await say(conn, keys, who, "unclear", message_id=message)
        assert (await row_of(conn, enrollments, enrolled))["state"] == "held"
        assert (await row_of(conn, messages, message))["state"] == "pending"
        [task] = await all_of(conn, tasks)
        await close_task(conn, keys, task_id=task["id"], outcome=outcome, now=NOW)
        assert (await row_of(conn, enrollments, enrolled))["state"] == state
        assert len(await all_of(conn, unlocks)) == unlocked
        if outcome != "continue":
            [again] = [row for row in await all_of(conn, engagements) if row["revises"]]
            assert (again["revises"], again["grade"]) == (first, "human")


async def test_mail_that_may_be_automatic_holds_and_asks(engine: AsyncEngine, keys: Keys) -> None:
    async with transaction(engine) as conn:
        who, enrolled, message = await person(conn, keys, await make.world(conn))
        await say(conn, keys, who, None, kind="mail", grade="ambiguous", message_id=message)
        assert (await row_of(conn, enrollments, enrolled))["state"] == "held"
        [task] = await all_of(conn, tasks)
        assert task["detail"]["reason"] == "perhaps an automatic answer"


async def test_without_the_host_interest_waits_and_is_not_lost(
    engine: AsyncEngine, keys: Keys
) -> None:
    async with transaction(engine) as conn:
        world = await make.world(conn)
        who, enrolled, message = await person(conn, keys, world)
        await conn.execute(delete(hosts))
        await say(conn, keys, who, "interested", message_id=message)
        assert (await row_of(conn, enrollments, enrolled))["state"] == "held"
        [task] = await all_of(conn, tasks)
        assert "no host `sales`" in task["title"]


async def test_a_manual_task_moves_the_sequence_on(engine: AsyncEngine, keys: Keys) -> None:
    program = make.PROGRAM | {
        "first": "ring",
        "steps": [
            {"kind": "task", "id": "ring", "next": "hello", "title": "Look them up"},
            *make.PROGRAM["steps"],
        ],
    }
    async with transaction(engine) as conn:
        world = await make.world(conn, program=program)
        who = await make.prospect(conn, keys)
        enrolled = await make.enrollment(conn, world, who, state="held", due_at=None)
        task = await open_task(
            conn,
            kind="manual",
            title="Look them up",
            prospect_id=who,
            enrollment_id=enrolled,
            step="ring",
            detail={},
            now=NOW,
        )
        assert task is not None
        await close_task(conn, keys, task_id=task, outcome="done", now=NOW)
        row = await row_of(conn, enrollments, enrolled)
        assert (row["state"], row["step"], row["due_at"]) == ("active", "hello", NOW)
