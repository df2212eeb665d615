"""L7: every change of state leaves its line, in the transaction that made it."""

import pytest

from orchestrator.clock import database_now
from orchestrator.db import transaction
from orchestrator.flows.plan import plan
from orchestrator.flows.stop_person import stop_person
from orchestrator.sender import drain
from orchestrator.wiring import App
from tests import make
from tests.flows.coming import say
from tests.flows.test_sending import rows
from tests.make import NOW

KINDS = "select kind from history order by id"


async def kinds(app: App) -> list[str]:
    return [kind for (kind,) in await rows(app, KINDS)]


async def test_each_step_of_the_way_leaves_its_line(app: App) -> None:
    async with transaction(app.engine) as conn:
        now = await database_now(conn)
        made = await make.world(conn)
        who = await make.prospect(conn, app.keys)
        await make.enrollment(conn, made, who, now=now)
    await plan(app, now)
    assert await kinds(app) == ["message.planned"]
    assert await drain(app) == 1
    assert await kinds(app) == ["message.planned", "message.sending", "message.sent"]
    async with transaction(app.engine) as conn:
        now = await database_now(conn)
        await say(conn, app.keys, who, "interested", now=now)
    assert (await kinds(app))[3:] == ["engagement.recorded", "enrollment.unlocked"]
    async with transaction(app.engine) as conn:
        await stop_person(conn, prospect_id=who, reason="opt_out", now=now)
    assert (await kinds(app))[5:] == ["prospect.opted_out", "enrollment.stopped"]


async def test_a_change_that_is_rolled_back_leaves_no_line(app: App) -> None:
    async with transaction(app.engine) as conn:
        made = await make.world(conn)
        who = await make.prospect(conn, app.keys)
        await make.enrollment(conn, made, who)

    async def fails_late() -> None:
        async with transaction(app.engine) as conn:
            await stop_person(conn, prospect_id=who, reason="opt_out", now=NOW)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fails_late()
    assert await kinds(app) == []
    assert await rows(app, "select opted_out_at from prospects") == [(None,)]
