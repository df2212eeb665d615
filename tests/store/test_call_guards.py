"""L1 and double bookings: what the database refuses, also by hand in SQL.

Each case is tried twice: with the constraint, which must be the one that refuses, and without it,
where the row goes in. So no case passes for another reason than its guard.
"""

import asyncio
from dataclasses import dataclass

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from orchestrator.db import is_constraint, make_engine, transaction
from orchestrator.keys import Keys
from tests import make
from tests.flows.call_world import Person, engaged, person

ENGAGEMENT = """
insert into engagements (id, prospect_id, enrollment_id, kind, grade, happened_at)
values (gen_random_uuid(), :prospect, :enrollment, {kind}, {grade}, now())
"""
UNLOCK = """
insert into unlocks (id, engagement_id, prospect_id, grade, enrollment_id, host_id, minutes)
select gen_random_uuid(), {engagement}, :free, '{grade}', {enrollment}, h.id, 20 from hosts h
"""
BOOKING = """
insert into bookings (id, unlock_id, prospect_id, host_id, host_number, during, busy, uid)
select gen_random_uuid(), {unlock}, :prospect, h.id, h.number + {off},
  tstzrange({start}, {end}), tstzrange({start}, cast({end} as timestamptz) + interval '10 minutes'),
  gen_random_uuid()::text
from hosts h
"""


def booking(unlock: str = ":unlock", start: str = "13:00", end: str = "13:20", off: int = 0) -> str:
    return BOOKING.format(
        unlock=unlock, start=f"'2026-11-25 {start}Z'", end=f"'2026-11-25 {end}Z'", off=off
    )


def unlock(grade: str, engagement: str, enrollment: str = ":free_enrollment") -> str:
    return UNLOCK.format(grade=grade, engagement=engagement, enrollment=enrollment)


@dataclass(frozen=True)
class Case:
    """A row that no law allows, the constraint that refuses it, and what takes that guard out."""

    name: str
    statement: str
    constraint: str
    without: str


def drop(table: str, constraint: str) -> str:
    return f"alter table {table} drop constraint {constraint}"


HUMAN_KIND = "ck_engagements_human_kind"
EARNED = "fk_unlocks_engagement_id_prospect_id_grade"
OPENED = "fk_bookings_unlock_id_prospect_id"
CASES = [
    *(
        Case(
            f"{kind} is never human",
            ENGAGEMENT.format(kind=f"'{kind}'", grade="'human'"),
            HUMAN_KIND,
            drop("engagements", HUMAN_KIND),
        )
        for kind in ("open", "click", "bounce", "auto_reply", "out_of_office", "delivered")
    ),
    Case(
        "an ambiguous engagement called human",
        unlock("human", ":ambiguous"),
        EARNED,
        drop("unlocks", EARNED),
    ),
    Case(
        "a machine's engagement called human",
        unlock("human", ":machine"),
        EARNED,
        drop("unlocks", EARNED),
    ),
    Case(
        "an unlock of grade ambiguous",
        unlock("ambiguous", ":ambiguous"),
        "ck_unlocks_human",
        drop("unlocks", "ck_unlocks_human"),
    ),
    Case(
        "an unlock of grade machine",
        unlock("machine", ":machine"),
        "ck_unlocks_human",
        drop("unlocks", "ck_unlocks_human"),
    ),
    Case(
        "another prospect's engagement",
        unlock("human", ":second_answer"),
        EARNED,
        drop("unlocks", EARNED),
    ),
    Case(
        "an engagement that is none",
        unlock("human", "gen_random_uuid()"),
        EARNED,
        drop("unlocks", EARNED),
    ),
    Case(
        "another prospect's enrollment",
        unlock("human", ":own_answer", ":second_enrollment"),
        "fk_unlocks_enrollment_id_prospect_id",
        drop("unlocks", "fk_unlocks_enrollment_id_prospect_id"),
    ),
    Case("a booking of no unlock", booking("gen_random_uuid()"), OPENED, drop("bookings", OPENED)),
    Case("another prospect's unlock", booking(":other_unlock"), OPENED, drop("bookings", OPENED)),
    Case(
        "a second live booking of one unlock",
        booking() + ";" + booking(start="14:00", end="14:20"),
        "uq_bookings_one_live",
        "drop index uq_bookings_one_live",
    ),
    Case(
        "a host's number that is not the host's",
        booking(off=1),
        "fk_bookings_host_id_host_number",
        drop("bookings", "fk_bookings_host_id_host_number"),
    ),
    Case(
        "the time of another call",
        booking(start="09:10", end="09:15"),
        "no_double_booking",
        drop("bookings", "no_double_booking"),
    ),
    Case(
        "a time that lies in the buffer of another call",
        booking(start="09:25", end="09:45"),
        "no_double_booking",
        drop("bookings", "no_double_booking"),
    ),
]


async def scene(conn: AsyncConnection, keys: Keys) -> dict[str, object]:
    """Three people with an unlock, the second booked at 09:00; one without; loose engagements."""
    world = await make.world(conn)
    first, second = [await person(conn, keys, world, offer=False) for _ in range(2)]
    free = await make.prospect(conn, keys)
    enrolled = await make.enrollment(conn, world, free)
    names: dict[str, object] = {
        "prospect": first.prospect,
        "enrollment": first.enrollment,
        "unlock": first.unlock,
        "other_unlock": (await person(conn, keys, world, offer=False)).unlock,
        "free": free,
        "free_enrollment": enrolled,
        "own_answer": await engaged(conn, free, enrolled),
        "ambiguous": await engaged(conn, free, enrolled, kind="click", grade="ambiguous"),
        "machine": await engaged(conn, free, enrolled, kind="open", grade="machine"),
        "second_answer": await engaged(conn, second.prospect, second.enrollment),
        "second_enrollment": await _bare_enrollment(conn, keys, world),
    }
    await run(conn, booking(start="09:00", end="09:20"), _names_of(second))
    return names


async def _bare_enrollment(conn: AsyncConnection, keys: Keys, world: make.World) -> object:
    return await make.enrollment(conn, world, await make.prospect(conn, keys))


def _names_of(who: Person) -> dict[str, object]:
    return {"prospect": who.prospect, "unlock": who.unlock}


async def run(conn: AsyncConnection, statements: str, names: dict[str, object]) -> None:
    for statement in statements.split(";"):
        used = text(statement)
        wanted = {name: names[name] for name in used.compile().params}
        await conn.execute(used, wanted)


async def test_the_database_refuses_what_no_law_allows(engine: AsyncEngine, keys: Keys) -> None:
    async with transaction(engine) as conn:
        names = await scene(conn, keys)
        for case in CASES:
            refusal = await refused(conn, case.statement, names)
            assert refusal is not None, f"{case.name}: was taken"
            assert is_constraint(refusal, case.constraint), f"{case.name}: {refusal.orig}"
            savepoint = await conn.begin_nested()  # the guard taken out of this scratch database
            await conn.execute(text(case.without))
            assert await refused(conn, case.statement, names) is None, f"{case.name}: held twice"
            await savepoint.rollback()


async def refused(
    conn: AsyncConnection, statements: str, names: dict[str, object]
) -> DBAPIError | None:
    """The error that a row ends in; None when it goes in. Leaves nothing behind."""
    savepoint = await conn.begin_nested()
    try:
        await run(conn, statements, names)
    except DBAPIError as error:
        return error
    finally:
        await savepoint.rollback()
    return None


async def test_a_booking_without_any_unlock(engine: AsyncEngine, keys: Keys) -> None:
    async with transaction(engine) as conn:
        names = await scene(conn, keys)
    with pytest.raises(DBAPIError, match="null value in column"):
        async with transaction(engine) as conn:
            await run(conn, booking("null::uuid"), names)
    async with transaction(engine) as conn:
        await conn.execute(text("alter table bookings alter unlock_id drop not null"))
        await run(conn, booking("null::uuid"), names)


async def test_two_connections_at_once(engine: AsyncEngine, database_url: str, keys: Keys) -> None:
    """Both have inserted before either commits: the second waits, and is refused."""
    async with transaction(engine) as conn:
        world = await make.world(conn)
        first, second = [await person(conn, keys, world, offer=False) for _ in range(2)]
    other = make_engine(database_url, pool_size=1)
    try:
        async with other.connect() as late:
            late_tx = await late.begin()
            async with transaction(engine) as early:
                await run(early, booking(start="10:00", end="10:20"), _names_of(first))
                waiting = asyncio.create_task(
                    run(late, booking(start="10:25", end="10:45"), _names_of(second))
                )
                await _until_blocked(engine)
                assert not waiting.done()
            with pytest.raises(DBAPIError) as caught:
                await waiting
            assert is_constraint(caught.value, "no_double_booking")
            await late_tx.rollback()
    finally:
        await other.dispose()
    async with transaction(engine) as conn:
        assert (await conn.execute(text("select count(*) from bookings"))).scalar_one() == 1


async def _until_blocked(engine: AsyncEngine) -> None:
    """Wait until a backend waits for another transaction."""
    for _ in range(200):
        async with transaction(engine) as conn:
            found = await conn.execute(
                text("select count(*) from pg_locks where not granted and locktype <> 'relation'")
            )
            if found.scalar_one():
                return
        await asyncio.sleep(0.02)
    pytest.fail("the second booking did not wait for the first")


async def test_a_cancelled_call_frees_its_time(engine: AsyncEngine, keys: Keys) -> None:
    async with transaction(engine) as conn:
        names = await scene(conn, keys)
        await conn.execute(text("update bookings set state = 'cancelled'"))
        await run(conn, booking(start="09:00", end="09:20"), names)
