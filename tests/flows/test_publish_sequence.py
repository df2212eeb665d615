"""Publishing makes immutable versions; pausing holds under the sequence's lock."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from orchestrator.db import transaction
from orchestrator.errors import BadInput, Conflict, NotFound
from orchestrator.flows.publish_sequence import Published, publish_sequence
from orchestrator.flows.set_sequence_state import set_sequence_state
from orchestrator.keys import Keys
from orchestrator.models.sequences import sequence_versions
from orchestrator.models.work import history
from orchestrator.rules.sequence_file import TemplateLibrary
from orchestrator.store import sequences
from tests import make

LIBRARY = TemplateLibrary()
FILE = """sequence: try
about: first
language: en
steps:
  - {id: hello, send: {subject: Hi, text: "Hello {{ first_name }}"}}
  - {until: engaged, within: 2 days, then: offer, otherwise: end}
  - {id: offer, call: {host: sales, length: 20 minutes, text: "{{ page_url }}"}}
"""


async def publish(conn: AsyncConnection, file: str = FILE) -> Published:
    return await publish_sequence(
        conn, text=file, filename="try.yaml", library=LIBRARY, now=make.NOW
    )


async def kinds(conn: AsyncConnection) -> list[str]:
    return list(await conn.scalars(select(history.c.kind).order_by(history.c.id)))


async def test_the_same_plan_is_published_once(engine: AsyncEngine) -> None:
    async with transaction(engine) as conn:
        first = await publish(conn)
        again = await publish(conn, "# only a comment\n" + FILE)
        second = await publish(conn, FILE.replace("about: first", "about: second"))
        back = await publish(conn)
    assert (first.number, first.created) == (1, True)
    assert (again.version_id, again.created) == (first.version_id, False)
    assert (second.number, second.created) == (2, True)
    assert (back.number, back.created) == (1, False)
    assert any("version 1 again" in note for note in back.notes)
    async with transaction(engine) as conn:
        assert await kinds(conn) == ["sequence.published"] * 2
        program = await sequences.load_program(conn, first.version_id)
        assert program.about == "first"
        assert await sequences.source_of(conn, first.version_id) == FILE
        (listed,) = await sequences.listing(conn)
        assert (listed.name, listed.version, listed.enrollments) == ("try", 2, {})


async def test_what_is_not_set_up_yet_is_told(engine: AsyncEngine) -> None:
    async with transaction(engine) as conn:
        notes = (await publish(conn, "sender: kari\n" + FILE)).notes
    assert notes == ("there is no host `sales` yet", "there is no sender `kari` yet")


async def test_a_version_never_changes(engine: AsyncEngine) -> None:
    async with transaction(engine) as conn:
        made = await publish(conn)
    with pytest.raises(IntegrityError, match="append-only"):
        async with transaction(engine) as conn:
            await conn.execute(
                update(sequence_versions)
                .where(sequence_versions.c.id == made.version_id)
                .values(source="x")
            )


async def test_a_call_that_needs_no_engagement_is_refused(engine: AsyncEngine) -> None:
    with pytest.raises(BadInput, match="without an engagement") as refused:
        async with transaction(engine) as conn:
            await publish(conn, FILE.replace("otherwise: end", "otherwise: offer"))
    faults: Any = refused.value.extra["faults"]
    assert [(one["line"], one["column"]) for one in faults] == [(7, 17)]
    async with transaction(engine) as conn:
        assert await sequences.listing(conn) == []


async def test_many_at_once_publish_one_version(engine: AsyncEngine) -> None:
    async def one() -> Published:
        async with transaction(engine) as conn:
            return await publish(conn)

    made = await asyncio.gather(*(one() for _ in range(5)))
    assert [one.created for one in made].count(True) == 1
    assert len({one.version_id for one in made}) == 1


async def test_pause_resume_and_archive(engine: AsyncEngine) -> None:
    async with transaction(engine) as conn:
        await publish(conn)
        assert await set_sequence_state(conn, name="try", state="paused", now=make.NOW)
        assert not await set_sequence_state(conn, name="try", state="paused", now=make.NOW)
        assert await set_sequence_state(conn, name="try", state="archived", now=make.NOW)
        assert await sequences.listing(conn) == []
        assert len(await sequences.listing(conn, archived=True)) == 1
        with pytest.raises(Conflict, match="resume"):
            await publish(conn, FILE.replace("about: first", "about: second"))
        assert await set_sequence_state(conn, name="try", state="active", now=make.NOW)
        with pytest.raises(NotFound):
            await set_sequence_state(conn, name="none", state="paused", now=make.NOW)
        assert await kinds(conn) == [
            "sequence.published",
            "sequence.paused",
            "sequence.archived",
            "sequence.resumed",
        ]


async def test_a_pause_waits_for_whoever_is_sending(engine: AsyncEngine) -> None:
    """Who sends holds the row FOR SHARE: the pause comes after it or before it, never in between.
    Without FOR UPDATE in the flow, a pause that changes nothing yet would slip through."""
    async with transaction(engine) as conn:
        await publish(conn)
    async with transaction(engine) as sending:
        await sending.execute(text("select 1 from sequences where name = 'try' for share"))
        async with transaction(engine) as conn:
            await conn.execute(text("set local lock_timeout = '100ms'"))
            with pytest.raises(DBAPIError, match="lock timeout"):
                await set_sequence_state(conn, name="try", state="active", now=make.NOW)


async def test_the_list_counts_enrollments_by_state(engine: AsyncEngine, keys: Keys) -> None:
    async with transaction(engine) as conn:
        made = await make.world(conn)
        for state in ("active", "active", "finished"):
            owner = await make.prospect(conn, keys)
            await make.enrollment(conn, made, owner, state=state)
        (listed,) = await sequences.listing(conn)
    assert listed.enrollments == {"active": 2, "finished": 1}
