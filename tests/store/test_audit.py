"""The audit log: every change of a person is in it, with before and after, and stays there."""

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from orchestrator.acting import Actor, acts
from orchestrator.db import transaction
from orchestrator.ids import uuid7
from orchestrator.keys import Keys
from orchestrator.models.accounts import audit
from orchestrator.models.messages import senders
from orchestrator.models.people import companies, prospects
from orchestrator.models.sequences import enrollments
from orchestrator.store import audit as store
from tests import make

KARI = UUID(int=7)


def actor(action: str = "test", **values: Any) -> Actor:
    return Actor("user", KARI, "kari@office.example", action, **values)


async def lines(engine: AsyncEngine) -> list[dict[str, Any]]:
    async with transaction(engine) as conn:
        rows = await conn.execute(select(audit).order_by(audit.c.id))
        return [dict(row) for row in rows.mappings()]


async def test_a_change_is_there_with_before_and_after(engine: AsyncEngine) -> None:
    async with transaction(engine) as conn:
        world = await make.world(conn)
    assert await lines(engine) == []
    with acts(actor("rename_sender")):
        async with transaction(engine) as conn:
            await conn.execute(
                update(senders)
                .where(senders.c.id == world.sender)
                .values(display_name="Kari N.", daily_cap=100_000)
            )
    [line] = await lines(engine)
    assert (line["actor_kind"], line["actor_id"]) == ("user", KARI)
    assert line["action"] == "rename_sender"
    assert (line["subject_kind"], line["subject_id"]) == ("senders", str(world.sender))
    assert line["before"] == {"display_name": "Kari Nordmann"}
    assert line["after"] == {"display_name": "Kari N."}


async def test_a_secret_is_named_and_never_shown(engine: AsyncEngine) -> None:
    async with transaction(engine) as conn:
        world = await make.world(conn)
    values: list[bytes | None] = [b"canary-one", b"canary-two", None]
    for value in values:
        with acts(actor()):
            async with transaction(engine) as conn:
                await conn.execute(
                    update(senders).where(senders.c.id == world.sender).values(secrets=value)
                )
    said = await lines(engine)
    assert [(line["before"], line["after"]) for line in said] == [
        ({"secrets": None}, {"secrets": "(another secret)"}),
        ({"secrets": "(a secret)"}, {"secrets": "(another secret)"}),
        ({"secrets": "(a secret)"}, {"secrets": None}),
    ]
    assert "canary" not in str(said)
    assert b"canary".hex() not in str(said)


async def test_a_change_that_is_rolled_back_leaves_no_line(engine: AsyncEngine) -> None:
    async def fails() -> None:
        async with transaction(engine) as conn:
            await make.world(conn)
            raise RuntimeError

    with acts(actor()):
        with pytest.raises(RuntimeError):
            await fails()
    assert await lines(engine) == []


async def test_what_no_trigger_watches_is_named_by_its_operation(
    engine: AsyncEngine, keys: Keys
) -> None:
    async with transaction(engine) as conn:
        world = await make.world(conn)
        person = await make.prospect(conn, keys)
        enrolled = await make.enrollment(conn, world, person)
    does = actor("look_again", subject=("enrollment", str(enrolled)))
    with acts(does):
        for _ in range(2):
            async with transaction(engine) as conn:
                await conn.execute(
                    update(enrollments).where(enrollments.c.id == enrolled).values(due_at=make.NOW)
                )
    [line] = await lines(engine)
    assert line["action"] == "look_again"
    assert line["subject_id"] == str(enrolled)


async def test_reading_leaves_no_line(engine: AsyncEngine) -> None:
    for reads in (actor(), actor(changes=False)):
        with acts(reads):
            async with transaction(engine) as conn:
                await conn.execute(select(companies))
    assert await lines(engine) == []


async def test_a_transaction_may_be_one_that_only_reads(engine: AsyncEngine) -> None:
    with acts(actor("avtale verify")):
        async with transaction(engine) as conn:
            await conn.execute(text("set transaction read only"))
            await conn.execute(select(senders))
    assert await lines(engine) == []


async def test_the_machinery_leaves_no_line(engine: AsyncEngine, keys: Keys) -> None:
    async with transaction(engine) as conn:
        person = await make.prospect(conn, keys)
        await conn.execute(update(prospects).where(prospects.c.id == person).values(title="x"))
    assert await lines(engine) == []


async def test_an_import_is_one_line_and_not_one_for_each_person(engine: AsyncEngine) -> None:
    with acts(actor("avtale prospects import")):
        for _ in range(3):
            async with transaction(engine) as conn:
                rows = [{"id": uuid7(), "name": "x", "key": str(uuid7())} for _ in range(5)]
                await conn.execute(insert(companies), rows)
                people = [{"id": uuid7(), "company_id": row["id"]} for row in rows]
                await conn.execute(insert(prospects), people)
    assert [line["action"] for line in await lines(engine)] == ["avtale prospects import"]


@pytest.mark.parametrize(
    "statement",
    [
        update(audit).values(actor_name="somebody else"),
        update(audit).values(after={"changed": True}),
        update(audit).values(before=None, after=None),
        delete(audit),
        text("truncate audit"),
    ],
)
async def test_no_line_is_ever_changed(engine: AsyncEngine, statement: Any) -> None:
    with acts(actor()):
        async with transaction(engine) as conn:
            await make.world(conn)
    before = await lines(engine)
    with pytest.raises(IntegrityError, match="append-only"):
        async with transaction(engine) as conn:
            await conn.execute(statement)
    assert await lines(engine) == before


async def test_an_erasure_takes_out_what_was_said_and_nothing_else(
    engine: AsyncEngine, keys: Keys
) -> None:
    with acts(actor()):
        async with transaction(engine) as conn:
            person = await make.prospect(conn, keys, first_name="Canary")
    before = await lines(engine)
    async with transaction(engine) as conn:
        assert await store.redact(conn, [str(person)]) == 1
    after = await lines(engine)
    assert "Canary" in str(before)
    assert "Canary" not in str(after)
    kept = ("id", "at", "actor_name", "action", "subject_id", "operation")
    assert [[line[name] for name in kept] for line in after] == [
        [line[name] for name in kept] for line in before
    ]


async def test_what_one_request_does_has_one_number(engine: AsyncEngine) -> None:
    with acts(actor()):
        async with transaction(engine) as conn:
            await make.world(conn)
    said = await lines(engine)
    assert {line["subject_kind"] for line in said} >= {"senders", "hosts", "sequences"}
    assert len({line["operation"] for line in said}) == 1
