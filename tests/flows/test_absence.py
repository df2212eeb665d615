"""Who is away, who has left, whom to ask instead, what they ask: what follows, on a database."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncEngine

from orchestrator.config import Settings
from orchestrator.db import transaction
from orchestrator.keys import Keys
from orchestrator.models.engagement import engagements, unlocks
from orchestrator.models.people import prospects
from orchestrator.models.sequences import enrollments
from orchestrator.models.work import tasks
from orchestrator.wiring import App, make_redis
from tests.flows.coming import all_of, row_of
from tests.flows.test_read_events import Scene
from tests.make import NOW
from tests.rules.test_mail_reading import mail

BACK = (NOW + timedelta(days=30)).date()
# Midnight in Oslo, where the person of the scene is.
BEGINS = datetime(BACK.year, BACK.month, BACK.day, tzinfo=UTC)


@pytest.fixture
async def scene(engine: AsyncEngine, keys: Keys) -> AsyncIterator[Scene]:
    """A prospect who waits for the next step."""
    made = App(Settings(), engine, keys, {}, make_redis("redis://127.0.0.1:1"))
    yield await Scene(made).set()
    await made.redis.aclose()


async def away(scene: Scene, words: str, **headers: str) -> None:
    """An automatic reply of the person's mailbox."""
    sent = {"Auto_Submitted": "auto-replied", "Date": f"{NOW:%a, %d %b %Y %H:%M:%S +0000}"}
    await scene.read(mail(words, **{**scene.answers, **sent, **headers}))


async def test_a_stated_return_moves_what_is_due_and_the_person(scene: Scene) -> None:
    await away(scene, f"I am away and will be back on {BACK.isoformat()}.")
    async with transaction(scene.app.engine) as conn:
        row = await row_of(conn, enrollments, scene.enrolled)
        who = await row_of(conn, prospects, scene.who)
    assert row["state"] == "active"
    assert abs(row["due_at"] - BEGINS) <= timedelta(hours=2)
    assert who["not_before"] == row["due_at"]
    assert who["opted_out_at"] is None


async def test_nothing_moves_to_an_earlier_time_nor_by_a_past_date(scene: Scene) -> None:
    later = NOW + timedelta(days=90)
    async with transaction(scene.app.engine) as conn:
        await conn.execute(
            update(prospects).where(prospects.c.id == scene.who).values(not_before=later)
        )
    await away(scene, f"I am back on {BACK.isoformat()}.")
    await away(scene, f"I was back on {(NOW - timedelta(days=9)).date().isoformat()}.")
    async with transaction(scene.app.engine) as conn:
        who = await row_of(conn, prospects, scene.who)
        row = await row_of(conn, enrollments, scene.enrolled)
    assert who["not_before"] == later
    assert row["due_at"] == NOW


async def test_a_forged_date_silences_nobody_for_years(scene: Scene) -> None:
    await away(scene, "I am back on 5 January.", Date="Mon, 01 Dec 2036 09:00:00 +0000")
    async with transaction(scene.app.engine) as conn:
        who = await row_of(conn, prospects, scene.who)
    assert who["not_before"] is None or who["not_before"] < NOW + timedelta(days=100)


async def test_a_day_in_what_an_absence_quotes_is_not_its_own(scene: Scene) -> None:
    quoted = "On Mon, 16 Nov 2026 at 09:00, Kari <kari@sender.example> wrote:"
    until = (NOW + timedelta(days=200)).date().isoformat()
    await away(scene, f"I am away today.\n\n{quoted}\n> I am away until {until}.")
    async with transaction(scene.app.engine) as conn:
        who = await row_of(conn, prospects, scene.who)
    assert who["not_before"] < NOW + timedelta(days=9)


async def test_an_absence_of_somebody_else_moves_nobody(scene: Scene) -> None:
    words = f"I am back on {BACK.isoformat()}."
    await away(scene, words, From="Eva <eva@elsewhere.example>")
    async with transaction(scene.app.engine) as conn:
        row = await row_of(conn, enrollments, scene.enrolled)
        who = await row_of(conn, prospects, scene.who)
    assert (row["due_at"], who["not_before"]) == (NOW, None)


async def test_who_has_left_is_ended_once_with_a_task_that_names_the_other(scene: Scene) -> None:
    for _ in range(2):
        await away(scene, "I no longer work here. Please contact anna@acme.example.")
    async with transaction(scene.app.engine) as conn:
        row = await row_of(conn, enrollments, scene.enrolled)
        (task,) = await all_of(conn, tasks)
    assert (row["state"], row["stop_reason"]) == ("stopped", "no longer there")
    assert (task["kind"], task["detail"]) == ("gone", {"instead": ["anna@acme.example"]})


@pytest.mark.parametrize(
    ("words", "meaning", "said"),
    [
        (
            "Wrong person, please contact Anna Berg (anna@acme.example).",
            "wrong_person",
            {"whom": ["Anna Berg", "anna@acme.example"]},
        ),
        ("What does it cost?", "question", {"asks": ["What does it cost?"]}),
    ],
)
async def test_what_somebody_of_ours_must_answer_holds_and_unlocks_nothing(
    scene: Scene, words: str, meaning: str, said: dict[str, list[str]]
) -> None:
    await scene.read(mail(words, **scene.answers))
    async with transaction(scene.app.engine) as conn:
        row = await row_of(conn, enrollments, scene.enrolled)
        (task,) = await all_of(conn, tasks)
        (engaged,) = await all_of(conn, engagements)
        opened = await all_of(conn, unlocks)
    assert row["state"] == "held"
    assert (engaged["grade"], engaged["meaning"]) == ("human", meaning)
    assert opened == []
    assert task["kind"] == "unclear_answer"
    assert said.items() <= task["detail"].items()
    assert all(one in task["title"] for named in said.values() for one in named)
