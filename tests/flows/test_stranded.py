"""Nothing stands still in silence: whatever no loop would move becomes a task."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from channels.base import Refused, SendResult, Unknown
from orchestrator.clock import database_now
from orchestrator.db import transaction
from orchestrator.flows import deliver
from orchestrator.flows.ask_about_stranded import GRACE, ask_about_stranded
from orchestrator.flows.close_task import close_task
from orchestrator.flows.plan import plan
from orchestrator.ids import uuid7
from orchestrator.wiring import App
from tests import make
from tests.flows.coming import say
from tests.flows.test_sending import fake, people, rows, send
from tests.make import NOW

OPEN = "select kind from tasks where state = 'open'"


async def just_now(app: App) -> datetime:
    """The newest of the times that the rows have: the tests' own or the database's."""
    async with transaction(app.engine) as conn:
        return max(NOW, await database_now(conn))


async def later(app: App) -> datetime:
    """A moment at which everything that ended lies behind the grace."""
    return await just_now(app) + GRACE + timedelta(seconds=1)


async def close(app: App, outcome: str) -> None:
    async with transaction(app.engine) as conn:
        now = await database_now(conn)
        found = await conn.execute(text("select id from tasks where state = 'open'"))
        await close_task(conn, app.keys, task_id=found.scalar_one(), outcome=outcome, now=now)


@pytest.mark.parametrize(
    ("result", "task", "outcome"),
    [
        (Refused("content", "554 no"), "stranded", "continue"),
        (Unknown("no answer to the final dot"), "in_doubt", "abandoned"),
    ],
)
async def test_a_process_that_dies_before_the_consequence_leaves_a_task(
    app: App, monkeypatch: pytest.MonkeyPatch, result: SendResult, task: str, outcome: str
) -> None:
    async def killed(*_: Any) -> None:
        raise ConnectionError("killed between the outcome and what follows from it")

    await people(app)
    await plan(app, NOW)
    fake(app).after.append(result)
    with monkeypatch.context() as patch:
        patch.setattr(deliver, "after_trouble", killed)
        await send(app)
    assert await rows(app, OPEN) == []
    assert (
        await ask_about_stranded(app, await just_now(app)) == 0
    )  # the other transaction may be under way
    assert await ask_about_stranded(app, await later(app)) == 1
    assert await ask_about_stranded(app, await later(app)) == 0
    assert await rows(app, OPEN) == [(task,)]
    await close(app, outcome)
    assert await rows(app, "select state, step from enrollments") == [("active", "wait-1")]


async def test_what_the_claim_drops_becomes_a_task(app: App) -> None:
    await people(app)
    await plan(app, NOW)
    async with transaction(app.engine) as conn:
        await conn.execute(
            text(
                "insert into suppressions (id, scope, channel, address_hash, reason)"
                " select :id, 'address', 'email', address_hash, 'a list of ours' from identities"
            ),
            {"id": uuid7()},
        )
    assert await send(app) == 0
    assert await rows(app, "select state from messages") == [("suppressed",)]
    assert await ask_about_stranded(app, await later(app)) == 1
    assert await rows(app, "select state from enrollments") == [("held",)]


async def test_what_moves_or_is_asked_about_is_left_alone(app: App) -> None:
    async with transaction(app.engine) as conn:
        made = await make.world(conn)
        asked = await make.prospect(conn, app.keys)
        await make.enrollment(conn, made, asked)
        await make.enrollment(conn, made, await make.prospect(conn, app.keys))
    await plan(app, NOW)
    async with transaction(app.engine) as conn:
        await say(conn, app.keys, asked, "unclear")
    assert await ask_about_stranded(app, await later(app)) == 0
    assert await rows(app, OPEN) == [("unclear_answer",)]
    assert await rows(app, "select state from enrollments order by state") == [
        ("held",),
        ("sending",),
    ]
