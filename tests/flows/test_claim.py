"""What a claim looks at, what it leaves behind, and what it costs an index."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import insert, select, text, update

from orchestrator.db import transaction
from orchestrator.flows.claim import claim
from orchestrator.flows.plan import plan
from orchestrator.flows.sweep import sweep
from orchestrator.ids import uuid7
from orchestrator.models.messages import lanes, messages, senders
from orchestrator.models.sequences import enrollments
from orchestrator.rules.watermark import START, Watermarks
from orchestrator.store import due, leases
from orchestrator.wiring import App
from tests import make
from tests.make import NOW


async def planned(app: App, people: int) -> make.World:
    """`people` first messages, all due now."""
    async with transaction(app.engine) as conn:
        made = await make.world(conn)
        for _ in range(people):
            owner = await make.prospect(conn, app.keys)
            await make.enrollment(conn, made, owner)
    await plan(app, NOW)
    return made


async def others(app: App, count: int) -> list[UUID]:
    """More senders, free since one hour more each."""
    made = [uuid7() for _ in range(count)]
    async with transaction(app.engine) as conn:
        for number, one in enumerate(made):
            await conn.execute(
                insert(senders).values(
                    id=one,
                    name=f"seat-{number}",
                    channel="email",
                    address=f"seat-{number}@sender.example",
                    hours={"days": "mon-sun", "hours": "00:00-24:00"},
                    gap_seconds=0,
                    gap_jitter_seconds=0,
                )
            )
            free = NOW - timedelta(hours=number + 1)
            await conn.execute(insert(lanes).values(sender_id=one, free_at=free))
    return made


async def test_a_lease_and_a_hand_over_write_no_index(app: App) -> None:
    """A dozen indexes stand on `messages`: none of them may name what these change."""
    await planned(app, 8)
    async with transaction(app.engine) as conn:
        ids = list((await conn.execute(select(messages.c.id))).scalars())
        assert len(await leases.lease(conn, ids, owner="one", seconds=60)) == 8
    async with transaction(app.engine) as conn:
        await conn.execute(text("update messages set state = 'sending', handed_at = now()"))
        counted = await conn.execute(
            text(
                "select n_tup_upd, n_tup_hot_upd from pg_stat_xact_user_tables"
                " where relname = 'messages'"
            )
        )
        changed, in_place = counted.one()
        assert changed >= 8
        assert in_place == changed


async def test_claims_in_a_row_go_on_after_the_mark(app: App) -> None:
    await planned(app, 6)
    marks = Watermarks()
    found = [await claim(app, NOW, owner="one", batch=2, watermarks=marks) for _ in range(4)]
    assert [len(each) for each in found] == [2, 2, 2, 0]
    assert len({one.row.id for each in found for one in each}) == 6


async def test_what_comes_to_lie_before_the_mark_is_found_soon(app: App) -> None:
    """L3: what somebody gave back is behind the mark until a claim is not full."""
    await planned(app, 4)
    marks = Watermarks()
    (early, _) = await claim(app, NOW, owner="one", batch=2, watermarks=marks)
    async with transaction(app.engine) as conn:
        before = NOW - timedelta(minutes=5)
        await leases.release(conn, early.row.id, early.fence, due=before, reason="given back")
    rest = await claim(app, NOW, owner="one", batch=2, watermarks=marks)
    assert early.row.id not in {one.row.id for one in rest}
    assert await claim(app, NOW, owner="one", batch=2, watermarks=marks) == []
    (again,) = await claim(app, NOW, owner="one", batch=2, watermarks=marks)
    assert again.row.id == early.row.id


async def test_the_lane_that_is_free_longest_comes_first(app: App) -> None:
    made = await planned(app, 9)
    seats = [made.sender, *await others(app, 3)]
    async with transaction(app.engine) as conn:
        ids = list((await conn.execute(select(messages.c.id))).scalars())
        for number, one in enumerate(ids):  # the last seat has nothing to send
            changed = update(messages).where(messages.c.id == one)
            await conn.execute(changed.values(sender_id=seats[number % 3]))
        own = update(lanes).where(lanes.c.sender_id == made.sender)
        await conn.execute(own.values(free_at=NOW))
    async with transaction(app.engine) as conn:
        found = await due.free_lanes(conn, now=NOW, busy=[], lanes=2, marks={})
        assert [row["sender_id"] for row in found] == [seats[2], seats[1]]
        found = await due.free_lanes(conn, now=NOW, busy=[seats[1]], lanes=9, marks={})
        assert [row["sender_id"] for row in found] == [seats[2], seats[0]]


async def test_a_sweep_finds_a_lease_whatever_became_of_the_clock(app: App) -> None:
    """The clock was set back by half an hour after the claim: the lease is no less over."""
    await planned(app, 1)
    await claim(app, NOW, owner="one", batch=1)
    async with transaction(app.engine) as conn:
        await conn.execute(
            update(messages).values(
                lease_until=text("now() - interval '1 s'"),
                due_at=text("now() + interval '30 minutes'"),
            )
        )
    assert (await sweep(app, NOW)).released == 1
    async with transaction(app.engine) as conn:
        assert (await conn.execute(select(enrollments.c.state))).scalar_one() == "sending"


async def test_lanes_come_in_the_order_in_which_they_became_free(app: App) -> None:
    """Whatever way the planner joins them: those at the end of the table are not passed over for
    as long as the first have a backlog."""
    await planned(app, 120)
    seats = await others(app, 120)
    async with transaction(app.engine) as conn:
        waiting = (await conn.execute(select(messages.c.id))).scalars().all()
        for seat, one in zip(seats, waiting, strict=True):
            await conn.execute(update(messages).where(messages.c.id == one).values(sender_id=seat))
    async with app.engine.connect() as conn:
        await conn.execution_options(isolation_level="AUTOCOMMIT")
        await conn.execute(text("analyze"))
    longest_free = list(reversed(seats))
    for marks in ({}, dict.fromkeys(seats, START)):
        async with transaction(app.engine) as conn:
            found = await due.free_lanes(conn, now=NOW, busy=[], lanes=20, marks=marks)
        assert [row["sender_id"] for row in found] == longest_free[:20]
