"""People: found by what is typed, filtered as for enrolling, everybody's own, and cheap."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import pytest
from fastapi import FastAPI
from sqlalchemy import event, insert, text
from sqlalchemy.ext.asyncio import AsyncEngine

from orchestrator.clock import database_now
from orchestrator.db import transaction
from orchestrator.flows.assign_people import assign_people
from orchestrator.flows.list_people import list_people
from orchestrator.ids import uuid7
from orchestrator.keys import Keys
from orchestrator.models.people import companies
from tests import make
from tests.console.conftest import signed_in

Users = dict[str, UUID]
HOSTILE = '<script>window.ran=1</script>"><img src=x onerror=alert(1)>\u202egnp.exe\u200bx'


@contextmanager
def counted(site: FastAPI) -> Iterator[list[str]]:
    """The statements that the pages send within the block."""
    seen: list[str] = []

    def note(conn: object, cursor: object, statement: str, *rest: object) -> None:
        seen.append(statement)

    engine = site.state.avtale.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)


@pytest.fixture
async def people(engine: AsyncEngine, keys: Keys) -> dict[str, UUID]:
    """Four people, of whom one works elsewhere."""
    async with transaction(engine) as conn:
        other = uuid7()
        await conn.execute(
            insert(companies).values(id=other, name="Fjord-Regnskap/Bergen AS", key="fjord")
        )
        return {
            "kari": await make.prospect(
                conn, keys, first_name="Kari-Anne", last_name="Ødegård", title="CFO/COO",
                address="kari.o@one.example",
            ),
            "karl": await make.prospect(
                conn, keys, first_name="Karl", last_name="Berg", country="SE", company_id=other
            ),
            "ola": await make.prospect(conn, keys, address="ola_x@two.example"),
            "olax": await make.prospect(conn, keys, first_name="Per", address="olaax@two.example"),
        }  # fmt: skip


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("kar", {"kari", "karl"}),
        ("KARI", {"kari"}),
        ("ødeg kari", {"kari"}),
        ("anne", {"kari"}),
        ("coo", {"kari"}),
        ("regnsk", {"karl"}),
        ("bergen fjord", {"karl"}),
        ("ola_x@two", {"ola"}),
        ("kari.o@ONE.example", {"kari"}),
        ("ari", set()),
        ("'); drop table prospects; --", set()),
        ("kari & !karl | ' \\ :*", set()),
        ("%", set()),
        ("\u202e", set()),
    ],
)
async def test_what_is_typed(
    people: dict[str, UUID], engine: AsyncEngine, typed: str, found: set[str]
) -> None:
    async with transaction(engine) as conn:
        rows = (await list_people(conn, typed=typed)).rows
    assert {row["id"] for row in rows} == {people[name] for name in found}


async def test_pages_follow_one_another_without_gap_or_repetition(
    engine: AsyncEngine, keys: Keys
) -> None:
    async with transaction(engine) as conn:
        made = {await make.prospect(conn, keys, address=f"ola{n}@x.example") for n in range(23)}
        for typed, where in (("ola", ""), ("", "country = NO"), ("ola", "not paused")):
            seen: list[UUID] = []
            after: UUID | None = None
            while True:
                found = await list_people(conn, typed=typed, where=where, after=after, limit=5)
                seen += [row["id"] for row in found.rows[:5]]
                if len(found.rows) <= 5:
                    break
                after = seen[-1]
            assert seen == sorted(made, reverse=True), (typed, where)


async def test_the_page_with_and_without_a_script(
    site: FastAPI, users: Users, people: dict[str, UUID]
) -> None:
    ops = await signed_in(site, "ops")
    whole = await ops.get("/console/people", params={"q": "kar", "where": "country = SE"})
    assert whole.status_code == 200
    assert str(people["karl"]) in whole.text
    assert str(people["kari"]) not in whole.text
    part = await ops.get("/console/people", params={"q": "kari"}, headers={"hx-request": "true"})
    assert "<html" not in part.text
    assert str(people["kari"]) in part.text
    wrong = await ops.get("/console/people", params={"where": "country ="})
    assert wrong.status_code == 422
    assert "column 10" in wrong.text
    assert 'value="country ="' in wrong.text
    assert "Nobody fits" in (await ops.get("/console/people", params={"q": "zzz"})).text


async def test_a_rep_finds_only_their_own(
    site: FastAPI, users: Users, people: dict[str, UUID], engine: AsyncEngine
) -> None:
    async with transaction(engine) as conn:
        now = await database_now(conn)
        await assign_people(conn, prospect_ids=[people["kari"]], owner_id=users["rep"], now=now)
    rep = await signed_in(site, "rep")
    for query in (
        {},
        {"q": "kar"},
        {"where": "not opted_out"},
        {"q": "k", "where": "country = NO"},
    ):
        shown = (await rep.get("/console/people", params=query)).text
        assert str(people["kari"]) in shown, query
        assert not any(str(people[name]) in shown for name in ("karl", "ola", "olax")), query


async def test_hostile_names_are_text(
    site: FastAPI, users: Users, engine: AsyncEngine, keys: Keys
) -> None:
    async with transaction(engine) as conn:
        company = uuid7()
        await conn.execute(insert(companies).values(id=company, name=HOSTILE, key="hostile"))
        await make.prospect(
            conn, keys, first_name=HOSTILE, last_name=HOSTILE, title=HOSTILE, company_id=company
        )
    ops = await signed_in(site, "ops")
    for query in ({}, {"q": HOSTILE}, {"where": HOSTILE}, {"where": f"title = '{HOSTILE}'"}):
        shown = (await ops.get("/console/people", params=query)).text
        assert "<script>window" not in shown, query
        assert "<img src=x" not in shown, query
    listed = (await ops.get("/console/people")).text
    assert "\u202e" not in listed
    assert "\u200b" not in listed
    assert "&lt;script&gt;" in listed


async def test_as_many_queries_for_many_as_for_one(
    site: FastAPI, users: Users, engine: AsyncEngine, keys: Keys
) -> None:
    ops = await signed_in(site, "ops")
    counts = []
    for more in (1, 60):
        async with transaction(engine) as conn:
            for _ in range(more):
                await make.prospect(conn, keys)
        with counted(site) as statements:
            await ops.get("/console/people", params={"q": "ola", "where": "not paused"})
        counts.append(len(statements))
    assert counts[0] == counts[1]
    assert counts[0] <= 8


async def test_what_is_typed_is_found_by_indexes(engine: AsyncEngine) -> None:
    """Of many people the few who fit are looked up, and nobody else is read."""
    async with transaction(engine) as conn:
        await conn.execute(
            text(
                "insert into prospects (id, first_name, last_name) select gen_random_uuid(),"
                " 'name' || n, 'surname' || n from generate_series(1, 20000) n"
            )
        )
        await conn.execute(text("analyze prospects"))
        plans = []

        def note(conn: object, cursor: object, statement: str, *rest: object) -> None:
            plans.append((statement, rest[0]))

        event.listen(engine.sync_engine, "before_cursor_execute", note)
        await list_people(conn, typed="name777")
        event.remove(engine.sync_engine, "before_cursor_execute", note)
        statement, values = plans[0]
        rows = await conn.exec_driver_sql(f"explain {statement}", values)  # type: ignore[arg-type]  # as it was sent
        plan = "\n".join(row[0] for row in rows)
    assert "ix_prospects_words" in plan
    assert "Seq Scan on prospects" not in plan
