"""A person: the story, what can be decided with honest results, whose they are, hostile content."""

from datetime import date
from uuid import UUID, uuid4

import pytest
from fastapi import FastAPI
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from orchestrator.clock import database_now
from orchestrator.db import transaction
from orchestrator.flows.assign_people import assign_people
from orchestrator.flows.engage import engage
from orchestrator.ids import uuid7
from orchestrator.keys import Keys
from orchestrator.models.accounts import audit
from orchestrator.models.people import facts, prospects
from orchestrator.models.work import tasks
from tests.console.conftest import signed_in
from tests.console.test_people import HOSTILE, counted
from tests.pages import sample

Users = dict[str, UUID]


@pytest.fixture
async def ola(engine: AsyncEngine, keys: Keys) -> sample.Someone:
    """Somebody who got two messages and answered that they are interested."""
    async with transaction(engine) as conn:
        made = await sample.someone(conn, keys, await sample.build(conn))
        await sample.interested(conn, keys, made)
        return made


async def _row(engine: AsyncEngine, person: UUID) -> dict[str, object]:
    async with transaction(engine) as conn:
        found = await conn.execute(select(prospects).where(prospects.c.id == person))
        return dict(found.mappings().one())


async def test_the_page_tells_what_the_api_tells(
    site: FastAPI, users: Users, ola: sample.Someone
) -> None:
    viewer = await signed_in(site, "viewer")
    shown = (await viewer.get(f"/console/people/{ola.prospect}")).text
    for words in (
        "Ola Hansen",
        "Fjordregnskap AS",
        "What comes next",
        "the call is open to be booked",
        "a person engaged (reply)",
        "it counts as a person",
        "a person</span>",
        "stillingsannonse på finn.no",
        "2026-06-03",
    ):
        assert words in shown.replace("&#39;", "'"), words
    assert "/pause" not in shown
    assert (await viewer.get(f"/console/people/{uuid4()}")).status_code == 404


async def test_what_is_decided_is_done_and_said(
    site: FastAPI, users: Users, ola: sample.Someone, engine: AsyncEngine
) -> None:
    ops = await signed_in(site, "ops")
    at = f"/console/people/{ola.prospect}"

    async def pressed(verb: str, **fields: str) -> str:
        answer = await ops.press(f"{at}/{verb}", **fields)
        assert answer.status_code == 303, answer.text
        return (await ops.get(at)).text

    assert "Paused. Nothing automated leaves" in await pressed("pause")
    assert (await _row(engine, ola.prospect))["paused_at"] is not None
    assert "They were paused already." in await pressed("pause")
    assert "Resumed. Their sequences go on" in await pressed("resume")
    assert "They were not paused." in await pressed("resume")
    day = date(2199, 2, 1)
    assert "Nothing leaves before that day." in await pressed("snooze", until=day.isoformat())
    until = (await _row(engine, ola.prospect))["not_before"]
    assert f"{until:%Y-%m-%dT%H}" != f"{day}T00"  # midnight of Oslo, not of UTC
    assert "Stopped. What was handed over before" in await pressed("stop", how="stop")
    assert (await _row(engine, ola.prospect))["opted_out_at"] is None
    assert "Opted out of everything, for good." in await pressed("stop", how="opt_out")
    assert (await _row(engine, ola.prospect))["opted_out_at"] is not None
    async with transaction(engine) as conn:
        said = await conn.execute(select(audit.c.action).where(audit.c.actor_kind == "user"))
    assert {"pause", "resume", "snooze", "stop"} <= set(said.scalars())


@pytest.mark.parametrize(
    ("verb", "fields", "says"),
    [
        ("snooze", {"until": "2001-01-01"}, "Choose a date that is still to come."),
        ("snooze", {"until": "soon"}, "Choose a date that is still to come."),
        ("snooze", {}, "Choose a date that is still to come."),
        ("stop", {"how": "everything"}, "Choose one of these."),
        ("stop", {}, "Choose one of these."),
    ],
)
async def test_what_cannot_be_is_said_and_changes_nothing(
    site: FastAPI,
    users: Users,
    ola: sample.Someone,
    engine: AsyncEngine,
    verb: str,
    fields: dict[str, str],
    says: str,
) -> None:
    ops = await signed_in(site, "ops")
    before = await _row(engine, ola.prospect)
    answer = await ops.press(f"/console/people/{ola.prospect}/{verb}", **fields)
    assert answer.status_code == 422
    assert says in answer.text
    assert await _row(engine, ola.prospect) == before


async def test_a_stranger_is_not_there_for_a_rep(
    site: FastAPI, users: Users, ola: sample.Someone, engine: AsyncEngine
) -> None:
    rep = await signed_in(site, "rep")
    at = f"/console/people/{ola.prospect}"
    assert (await rep.get(at)).status_code == 404
    for verb in ("pause", "resume", "snooze", "stop"):
        asked = {"how": "opt_out", "until": "2099-01-01"}
        assert (await rep.press(f"{at}/{verb}", **asked)).status_code == 404
    row = await _row(engine, ola.prospect)
    assert (row["paused_at"], row["not_before"], row["opted_out_at"]) == (None, None, None)
    async with transaction(engine) as conn:
        now = await database_now(conn)
        await assign_people(conn, prospect_ids=[ola.prospect], owner_id=users["rep"], now=now)
    assert (await rep.get(at)).status_code == 200
    assert (await rep.press(f"{at}/pause")).status_code == 303


async def test_hostile_content_is_text(
    site: FastAPI, users: Users, engine: AsyncEngine, keys: Keys
) -> None:
    async with transaction(engine) as conn:
        now = await database_now(conn)
        world = await sample.build(conn)
        made = await sample.someone(
            conn, keys, world, subject=HOSTILE, text=HOSTILE, company=HOSTILE, fact=HOSTILE,
            first_name=HOSTILE, last_name=HOSTILE, title=HOSTILE, phone=HOSTILE,
            attributes={HOSTILE: HOSTILE},
        )  # fmt: skip
        await conn.execute(
            insert(facts).values(
                id=uuid7(), prospect_id=made.prospect, name=HOSTILE, value=HOSTILE, source=HOSTILE
            )
        )
        await conn.execute(
            insert(tasks).values(id=uuid7(), kind=HOSTILE, prospect_id=made.prospect, title=HOSTILE)
        )
        await engage(
            conn, keys, prospect_id=made.prospect, kind="reply", grade="human", meaning="unclear",
            reasons=[HOSTILE], message_id=made.messages[0], enrollment_id=made.enrollment,
            happened_at=now, now=now,
        )  # fmt: skip
    ops = await signed_in(site, "ops")
    shown = (await ops.get(f"/console/people/{made.prospect}?all=1")).text
    for bad in ("<script>window", "<img src=x", "\u202e", "\u200b"):
        assert bad not in shown, bad
    assert shown.count("&lt;script&gt;") > 10


async def test_as_many_queries_for_a_long_story_as_for_a_short_one(
    site: FastAPI, users: Users, ola: sample.Someone, engine: AsyncEngine, keys: Keys
) -> None:
    ops = await signed_in(site, "ops")
    await ops.get(f"/console/people/{ola.prospect}")
    counts = []
    for more in (0, 60):
        async with transaction(engine) as conn:
            for _ in range(more):
                await conn.execute(
                    insert(tasks).values(
                        id=uuid7(), kind="manual", prospect_id=ola.prospect, title="Do it"
                    )
                )
                await conn.execute(
                    update(prospects).where(prospects.c.id == ola.prospect).values(title="x")
                )
        with counted(site) as statements:
            await ops.get(f"/console/people/{ola.prospect}")
        counts.append(len(statements))
    assert counts[0] == counts[1]
    assert counts[0] <= 18
