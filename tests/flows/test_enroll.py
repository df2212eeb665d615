"""Enrolling: once each, never after a no, never beside another conversation; and its dry run."""

import asyncio
from collections.abc import Callable
from copy import deepcopy
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.db import transaction
from orchestrator.errors import Conflict, NotFound
from orchestrator.flows.enroll import enroll
from orchestrator.flows.enrolling import Selection
from orchestrator.flows.preview_enrollment import preview_enrollment
from orchestrator.ids import uuid7
from orchestrator.models.engagement import engagements
from orchestrator.models.messages import senders
from orchestrator.models.people import identities, prospects, suppressions
from orchestrator.models.sequences import enrollments, sequences
from orchestrator.models.work import history
from orchestrator.rules.where import parse
from orchestrator.wiring import App
from tests import make

EVERYBODY = Selection()


async def set_prospect(conn: AsyncConnection, who: UUID, **values: Any) -> None:
    await conn.execute(update(prospects).where(prospects.c.id == who).values(**values))


async def count(app: App, table: Any) -> int:
    async with transaction(app.engine) as conn:
        return int((await conn.execute(select(func.count()).select_from(table))).scalar_one())


async def test_twice_enrolls_once(app: App) -> None:
    async with transaction(app.engine) as conn:
        world = await make.world(conn)
        people = [await make.prospect(conn, app.keys) for _ in range(5)]
    first = await enroll(app, sequence="test", selection=EVERYBODY, now=make.NOW)
    again = await enroll(app, sequence="test", selection=EVERYBODY, now=make.NOW)
    assert (first.enrolled, first.senders) == (5, {"kari": 5})
    assert (again.enrolled, again.held) == (0, {"already_enrolled": 5})
    async with transaction(app.engine) as conn:
        rows = (await conn.execute(select(enrollments))).mappings().all()
        assert {row["prospect_id"] for row in rows} == set(people)
        for row in rows:
            assert (row["state"], row["step"], row["due_at"]) == ("active", "hello", make.NOW)
            assert (row["version_id"], row["sender_id"]) == (world.version, world.sender)
        kinds = (await conn.execute(select(history.c.kind))).scalars().all()
        assert kinds == ["enrollment.created"] * 5


async def test_two_at_once_enroll_once(app: App) -> None:
    async with transaction(app.engine) as conn:
        await make.world(conn)
        for _ in range(30):
            await make.prospect(conn, app.keys)
    reports = await asyncio.gather(
        *(enroll(app, sequence="test", selection=EVERYBODY, now=make.NOW) for _ in range(3))
    )
    assert sum(report.enrolled for report in reports) == 30
    assert await count(app, enrollments) == 30


async def opted_out(conn: AsyncConnection, app: App, who: UUID, made: make.World) -> None:
    await set_prospect(conn, who, opted_out_at=make.NOW)


async def paused(conn: AsyncConnection, app: App, who: UUID, made: make.World) -> None:
    await set_prospect(conn, who, paused_at=make.NOW)


async def bounced(conn: AsyncConnection, app: App, who: UUID, made: make.World) -> None:
    await conn.execute(
        update(identities).where(identities.c.prospect_id == who).values(state="bounced")
    )


async def no_address(conn: AsyncConnection, app: App, who: UUID, made: make.World) -> None:
    await conn.execute(
        update(identities).where(identities.c.prospect_id == who).values(channel="slack")
    )


async def suppressed(conn: AsyncConnection, app: App, who: UUID, made: make.World) -> None:
    one = select(identities.c.address_hash).where(identities.c.prospect_id == who)
    await conn.execute(
        insert(suppressions).values(
            id=uuid7(),
            scope="address",
            channel="email",
            address_hash=(await conn.execute(one)).scalar_one(),
            reason="hard_bounce",
        )
    )


async def in_another(conn: AsyncConnection, app: App, who: UUID, made: make.World) -> None:
    other = uuid7()
    await conn.execute(insert(sequences).values(id=other, name="other"))
    await make.enrollment(conn, made, who, sequence_id=other, state="held")


async def answered_recently(conn: AsyncConnection, app: App, who: UUID, made: make.World) -> None:
    await conn.execute(
        insert(engagements).values(
            id=uuid7(), prospect_id=who, kind="reply", grade="human",
            happened_at=make.NOW - timedelta(days=29),
        )
    )  # fmt: skip


async def no_window(conn: AsyncConnection, app: App, who: UUID, made: make.World) -> None:
    # From half past eight in London to half past nine in Auckland there is no common hour.
    await set_prospect(conn, who, zone="Pacific/Auckland", country="NZ")
    await conn.execute(
        update(senders).values(
            zone="Europe/London", hours={"days": "mon-fri", "hours": "11:00-12:00"}
        )
    )


@pytest.mark.parametrize(
    "arrange",
    [opted_out, paused, bounced, no_address, suppressed, in_another, answered_recently, no_window],
)
async def test_who_is_held_back_and_why(app: App, arrange: Callable[..., Any]) -> None:
    program = make.PROGRAM | {"window": {"days": "mon-fri", "hours": "08:00-16:00"}}
    async with transaction(app.engine) as conn:
        made = await make.world(conn, program=program)
        who = await make.prospect(conn, app.keys)
        await arrange(conn, app, who, made)
    before = await count(app, enrollments)
    preview = await preview_enrollment(app, sequence="test", selection=EVERYBODY, now=make.NOW)
    report = await enroll(app, sequence="test", selection=EVERYBODY, now=make.NOW)
    assert report.held == preview.held == {arrange.__name__: 1}
    assert report.held_people[0].prospect_id == who
    assert await count(app, enrollments) == before
    async with transaction(app.engine) as conn:
        line = (await conn.execute(select(history))).mappings().one()
        assert line["kind"] == "enrollment.held_back"
        assert line["detail"]["reason"] == arrange.__name__


async def test_an_opt_out_that_is_being_committed_is_waited_for(app: App) -> None:
    """L4: enrolling takes the prospect's row, so that it sees the opt-out or comes before it."""
    async with transaction(app.engine) as conn:
        await make.world(conn)
        who = await make.prospect(conn, app.keys)
    async with transaction(app.engine) as conn:
        await conn.execute(
            text("select 1 from prospects where id = :id for no key update"), {"id": who}
        )
        running = asyncio.create_task(
            enroll(app, sequence="test", selection=EVERYBODY, now=make.NOW)
        )
        await asyncio.sleep(0.3)
        assert not running.done()
        await set_prospect(conn, who, opted_out_at=make.NOW)
    assert (await running).held == {"opted_out": 1}


async def test_senders_take_turns_by_their_load(app: App) -> None:
    async with transaction(app.engine) as conn:
        made = await make.world(conn)
        other, idle = uuid7(), uuid7()
        for sender_id, name, paused_at in ((other, "ada", None), (idle, "bo", make.NOW)):
            await conn.execute(
                insert(senders).values(
                    id=sender_id, name=name, channel="email", address=f"{name}@sender.example",
                    hours={"days": "mon-sun", "hours": "00:00-24:00"}, paused_at=paused_at,
                )
            )  # fmt: skip
        already = await make.prospect(conn, app.keys)
        await make.enrollment(conn, made, already)
        for _ in range(5):
            await make.prospect(conn, app.keys)
    report = await enroll(app, sequence="test", selection=EVERYBODY, now=make.NOW)
    assert report.senders == {"ada": 3, "kari": 2}
    with pytest.raises(Conflict, match="paused"):
        await enroll(app, sequence="test", selection=EVERYBODY, now=make.NOW, sender="bo")
    with pytest.raises(NotFound):
        await enroll(app, sequence="test", selection=EVERYBODY, now=make.NOW, sender="nobody")
    with pytest.raises(NotFound):
        await enroll(app, sequence="nothing", selection=EVERYBODY, now=make.NOW)


async def test_selection_limit_and_a_date(app: App) -> None:
    later = make.NOW + timedelta(days=3)
    async with transaction(app.engine) as conn:
        await make.world(conn)
        swede = await make.prospect(conn, app.keys, country="SE", not_before=later)
        others = [await make.prospect(conn, app.keys) for _ in range(4)]
    chosen = Selection(parse("country = Sverige"))
    assert (await enroll(app, sequence="test", selection=chosen, now=make.NOW)).enrolled == 1
    report = await enroll(
        app, sequence="test", selection=Selection(ids=(*others, uuid7())), now=make.NOW, limit=2
    )
    assert report.enrolled == 2
    async with transaction(app.engine) as conn:
        due = select(enrollments.c.due_at).where(enrollments.c.prospect_id == swede)
        assert (await conn.execute(due)).scalar_one() == later
        await conn.execute(update(sequences).values(state="paused"))
    with pytest.raises(Conflict, match="paused"):
        await enroll(app, sequence="test", selection=EVERYBODY, now=make.NOW)


async def test_the_dry_run_shows_messages_load_and_what_is_missing(app: App) -> None:
    hello = make.PROGRAM["steps"][0] | {"needs": ["fact.pain"]}
    program = make.PROGRAM | {
        "window": {"days": "mon-fri", "hours": "08:00-16:00"},
        "steps": [hello, *make.PROGRAM["steps"][1:]],
    }
    async with transaction(app.engine) as conn:
        await make.world(conn, program=program, daily_cap=2, gap_seconds=60)
        people = [await make.prospect(conn, app.keys) for _ in range(6)]
        await conn.execute(
            text(
                "insert into facts (id, prospect_id, name, value)"
                " select gen_random_uuid(), id, 'pain', 'x' from prospects where id <> :one"
            ),
            {"one": people[0]},
        )
    preview = await preview_enrollment(
        app, sequence="test", selection=EVERYBODY, now=make.NOW, show=3
    )
    assert (preview.would_enroll, preview.waiting) == (6, {"fact.pain": 1})
    assert preview.load == {
        "kari": {date(2026, 11, 24): 2, date(2026, 11, 25): 2, date(2026, 11, 26): 1}
    }
    assert preview.messages[0].missing == ("fact.pain",)
    assert preview.messages[0].leaves_at is None
    assert preview.messages[1].subject == "Hello Ola"
    assert preview.messages[1].leaves_at == make.NOW
    assert preview.messages[2].leaves_at == make.NOW + timedelta(seconds=60)
    assert await count(app, enrollments) == await count(app, history) == 0


async def test_nobody_is_enrolled_before_it_is_said_who_writes(app: App) -> None:
    plan = deepcopy(make.PROGRAM)
    plan["steps"][0]["wordings"]["en"]["text"] += " {{ organisation }}"
    async with transaction(app.engine) as conn:
        await make.world(conn, program=plan)
        await make.prospect(conn, app.keys)
    app.settings = app.settings.model_copy(update={"organisation": ""})
    for verb in (enroll, preview_enrollment):
        with pytest.raises(Conflict, match="put AVTALE_ORGANISATION into"):
            await verb(app, sequence="test", selection=EVERYBODY, now=make.NOW)
    assert await count(app, enrollments) == 0
