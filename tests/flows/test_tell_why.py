"""The story of a prospect from real rows: found by id, address or name, with reasons."""

import pytest
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from orchestrator.db import transaction
from orchestrator.errors import BadInput, NotFound
from orchestrator.flows.stop_person import stop_person
from orchestrator.flows.tell_why import tell_why
from orchestrator.ids import uuid7
from orchestrator.keys import Keys
from orchestrator.models.engagement import engagements
from orchestrator.models.work import tasks
from orchestrator.store import history
from tests import make
from tests.make import NOW


async def test_sent_held_and_stopped_are_told_with_reasons(engine: AsyncEngine, keys: Keys) -> None:
    async with transaction(engine) as conn:
        world = await make.world(conn)
        ola = await make.prospect(conn, keys, address="ola@prospect.example")
        enrolled = await make.enrollment(conn, world, ola, state="sending", due_at=None)
        mail = await make.identity(conn, keys, ola, "o@prospect.example")
        message = await make.message(conn, world, ola, enrolled, mail)
        ids = {"prospect_id": ola, "enrollment_id": enrolled, "message_id": message}
        await history.append(conn, "message.held", at=NOW, reason="window_closed", **ids)
        await conn.execute(
            insert(engagements).values(
                id=uuid7(),
                prospect_id=ola,
                enrollment_id=enrolled,
                kind="open",
                grade="machine",
                happened_at=NOW,
            )
        )
        await conn.execute(
            insert(tasks).values(id=uuid7(), kind="manual", prospect_id=ola, title="Ring the bell")
        )
        before = await tell_why(conn, person="OLA@prospect.example", now=NOW)
        await stop_person(conn, prospect_id=ola, reason="opt_out", now=NOW)
        after = await tell_why(conn, person=ola, now=NOW)
    told = [f"{line.text} {line.reason}" for line in before.past]
    assert any("`hello` was held back" in line and "outside the hours" in line for line in told)
    assert any("was opened" in line and "counts for nothing" in line for line in told)
    assert any("Ring the bell" in line for line in told)
    assert "`hello` leaves then" in before.next[0].text
    assert any("locked" in line.text for line in before.now)
    told = [f"{line.text} {line.reason}" for line in after.past]
    assert any("will not be" in line and "opted out" in line for line in told)
    assert "nothing more comes of it" in after.next[0].text
    assert any(line.reason.startswith("they opted out") for line in after.now)
    assert [line.at for line in after.past] == sorted(line.at for line in after.past if line.at)


async def test_people_are_found_and_doubles_are_named(engine: AsyncEngine, keys: Keys) -> None:
    async with transaction(engine) as conn:
        ola = await make.prospect(conn, keys, first_name="Ola", last_name="Hansen")
        kari = await make.prospect(conn, keys, first_name="Kari", last_name="Hansen")
        assert (await tell_why(conn, person="kari h", now=NOW)).prospect_id == kari
        assert (await tell_why(conn, person=str(ola), now=NOW)).prospect_id == ola
        with pytest.raises(BadInput, match=str(ola)):
            await tell_why(conn, person="hansen", now=NOW)
        for nobody in (str(uuid7()), "nobody@prospect.example", "%", "_", "O%a", "\\"):
            with pytest.raises(NotFound):
                await tell_why(conn, person=nobody, now=NOW)
        with pytest.raises(BadInput):
            await tell_why(conn, person=" ", now=NOW)
