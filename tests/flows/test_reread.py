"""Reading what is stored again: shown before it is changed, nothing lost, nothing sent again."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from orchestrator.config import Settings
from orchestrator.db import transaction
from orchestrator.flows.close_task import close_task
from orchestrator.flows.explain_engagement import explain_engagement
from orchestrator.flows.reread import Difference, reread
from orchestrator.flows.understanding import CURRENT, Readers
from orchestrator.ids import uuid7
from orchestrator.keys import Keys
from orchestrator.models.calls import bookings
from orchestrator.models.engagement import engagements, provider_events, unlocks
from orchestrator.models.messages import messages
from orchestrator.models.people import prospects
from orchestrator.models.sequences import enrollments
from orchestrator.models.work import history, tasks
from orchestrator.rules import mail_reading, meaning, opens
from orchestrator.rules.opens import Hit
from orchestrator.wiring import App, make_redis
from tests.flows.coming import all_of, row_of
from tests.flows.test_read_events import Scene, booked
from tests.make import NOW
from tests.rules.test_mail_reading import mail
from tests.seen import note_seen


@pytest.fixture
async def app(engine: Any, keys: Keys) -> AsyncIterator[App]:
    """An App without Redis: reading needs none."""
    made = App(Settings(), engine, keys, {}, make_redis("redis://127.0.0.1:1"))
    yield made
    await made.redis.aclose()


@pytest.fixture
async def scene(app: App) -> Scene:
    """A prospect who has our first mail, and who waits."""
    return await Scene(app).set()


def meaning_to(word: Any) -> Readers:
    """A reader that takes every answer for `word`."""

    def mean(text: str, **_: Any) -> meaning.Verdict:
        return replace(
            meaning.read(text, today=NOW.date()), meaning=word, reasons=("another rule",)
        )

    return replace(CURRENT, mean=mean)


def taking_for(kind: Any) -> Readers:
    """A reader that takes every answer for something of this kind."""

    def read(raw: bytes, **given: Any) -> mail_reading.Reading:
        found = mail_reading.read(raw, **given)
        return (
            replace(found, kind=kind, reasons=("another rule",)) if found.kind == "reply" else found
        )

    return replace(CURRENT, read=read)


async def tables(app: App) -> dict[str, list[Any]]:
    """Everything that rereading might touch."""
    async with transaction(app.engine) as conn:
        return {
            table.name: [dict(row) for row in await all_of(conn, table)]
            for table in (engagements, unlocks, messages, tasks, enrollments, history, prospects)
        }


def shown(found: list[Difference]) -> list[tuple[str, str, str]]:
    return [(one.was, one.now, one.does) for one in found]


async def test_a_changed_rule_is_shown_then_applied_and_no_history_is_lost(scene: Scene) -> None:
    """Must show 7."""
    app = scene.app
    await scene.read(mail("Well, perhaps, who knows.", **scene.answers))
    before = await tables(app)
    assert await reread(app, NOW) == (1, [])  # the same rules: nothing differs
    count, found = await reread(app, NOW, readers=meaning_to("no"))
    assert (count, shown(found)) == (
        1,
        [("reply, human, unclear", "reply, human, no", "act")],
    )
    assert await tables(app) == before  # shown, and nothing else

    _, applied = await reread(app, NOW, readers=meaning_to("no"), apply=True)
    assert shown(applied) == shown(found)
    after = await tables(app)
    assert after["engagements"][:1] == before["engagements"]
    old, new = after["engagements"]
    assert (new["revises"], new["meaning"]) == (old["id"], "no")
    assert new["provider_event_id"] == old["provider_event_id"]
    assert "reread" in new["reasons"]
    assert after["history"][: len(before["history"])] == before["history"]
    assert after["enrollments"][0]["stop_reason"] == "declined"
    assert [task["state"] for task in after["tasks"]] == ["cancelled"]

    assert await reread(app, NOW, readers=meaning_to("no"), apply=True) == (1, [])
    assert await tables(app) == after


async def test_what_now_reads_as_a_stop_is_heeded_at_once(scene: Scene) -> None:
    await scene.read(mail("Yes, tell me more.", **scene.answers))
    await reread(scene.app, NOW, readers=meaning_to("stop"), apply=True)
    async with transaction(scene.app.engine) as conn:
        assert (await row_of(conn, prospects, scene.who))["opted_out_at"] == NOW


async def test_what_now_reads_as_interest_opens_nothing_until_one_of_us_has_read_it(
    scene: Scene,
) -> None:
    app = scene.app
    await scene.read(mail("Thank you, I am away.", Auto_Submitted="auto-replied", **scene.answers))
    assert await scene.state() == "active"

    def read(raw: bytes, **given: Any) -> mail_reading.Reading:
        return replace(mail_reading.read(raw, **given), kind="reply", text="Yes, tell me more.")

    readers = replace(CURRENT, read=read)
    _, found = await reread(app, NOW, readers=readers, apply=True)
    assert shown(found) == [("auto_reply, machine", "reply, human, interested", "ask")]
    assert await scene.state() == "held"
    async with transaction(app.engine) as conn:
        assert await all_of(conn, unlocks) == []
        [task] = await all_of(conn, tasks)
        assert (task["kind"], task["state"]) == ("unclear_answer", "open")
    assert (await reread(app, NOW, readers=readers, apply=True))[1] == []
    async with transaction(app.engine) as conn:
        await close_task(conn, app.keys, task_id=task["id"], outcome="interested", now=NOW)
        assert len(await all_of(conn, unlocks)) == 1
    # One of us has read it: whatever a reader says now, that stands.
    assert (await reread(app, NOW, readers=taking_for("auto_reply")))[1] == []


@pytest.mark.parametrize(
    ("used", "outcome", "ends"),
    [(False, "stop", "stopped"), (True, "stop", "stopped"), (False, "done", "active")],
)
async def test_a_call_that_a_machine_turns_out_to_have_opened_is_not_closed_in_silence(
    scene: Scene, used: bool, outcome: str, ends: str
) -> None:
    app = scene.app
    await scene.read(mail("Yes, tell me more.", **scene.answers))
    if used:
        async with transaction(app.engine) as conn:
            await booked(conn, scene)
    before = await tables(app)
    _, found = await reread(app, NOW, readers=taking_for("auto_reply"), apply=True)
    assert shown(found) == [("reply, human, interested", "auto_reply, machine", "doubt")]
    after = await tables(app)
    assert after["unlocks"] == before["unlocks"]
    assert after["messages"] == before["messages"]  # nothing is sent again
    [task] = [one for one in after["tasks"] if one["state"] == "open"]
    assert task["kind"] == "revised_unlock"
    assert await scene.state() == ("active" if used else "held")
    async with transaction(app.engine) as conn:
        assert len(await all_of(conn, bookings)) == used
        assert (await reread(app, NOW, readers=taking_for("auto_reply"), apply=True))[1] == []
        await close_task(conn, app.keys, task_id=task["id"], outcome=outcome, now=NOW)
    assert await scene.state() == ends


async def test_what_matched_nobody_is_found_when_it_can_be(scene: Scene) -> None:
    app = scene.app
    event = await scene.read(mail("Hello", From="who@ever.example", In_Reply_To=""))
    assert event["state"] == "unmatched"

    def read(raw: bytes, **given: Any) -> mail_reading.Reading:
        return replace(mail_reading.read(raw, **given), sender="ola@acme.example")

    readers = replace(CURRENT, read=read)
    assert len((await reread(app, NOW, readers=readers))[1]) == 1
    await reread(app, NOW, readers=readers, apply=True)
    async with transaction(app.engine) as conn:
        [row] = await all_of(conn, provider_events)
        assert (row["state"], row["prospect_id"]) == ("handled", scene.who)
    assert await scene.state() == "held"
    assert (await reread(app, NOW, readers=readers, apply=True))[1] == []


async def seen(scene: Scene, hit: Hit) -> UUID:
    """An open of the scene's message; its engagement."""
    async with transaction(scene.app.engine) as conn:
        await note_seen(
            *(conn, scene.app.keys), kind="open", subject=scene.message, hit=hit, now=LATER
        )
        return (await all_of(conn, engagements))[-1]["id"]


LATER = NOW.replace(hour=20)


async def test_hits_are_judged_again_from_what_was_stored_of_them(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await seen(scene, Hit("GET", "Strange/1.0", language=True))
    judge = opens.judge_message

    def newer(traces: Any, **given: Any) -> list[opens.Verdict]:
        return [
            opens.Verdict("machine", ("known_robot",)) if "Strange" in one.hit.user_agent else old
            for one, old in zip(traces, judge(traces, **given), strict=True)
        ]

    monkeypatch.setattr(opens, "judge_message", newer)
    _, found = await reread(scene.app, LATER, apply=True)
    assert shown(found) == [("open, ambiguous", "open, machine", "note")]
    assert (await reread(scene.app, LATER, apply=True))[1] == []
    monkeypatch.setattr(opens, "judge_message", judge)  # the rule is taken back: so is the verdict
    _, found = await reread(scene.app, LATER, apply=True)
    assert shown(found) == [("open, machine", "open, ambiguous", "note")]
    async with transaction(scene.app.engine) as conn:
        rows = (await conn.execute(select(engagements).order_by(engagements.c.id))).mappings().all()
        assert [row["grade"] for row in rows] == ["ambiguous", "machine", "ambiguous"]
        assert [row["revises"] for row in rows] == [None, made, rows[1]["id"]]
        told = await explain_engagement(conn, made)
    assert [one.grade for one in told.verdicts] == ["ambiguous", "machine", "ambiguous"]
    assert [one.stands for one in told.verdicts] == [False, False, True]
    assert told.seen is not None
    assert told.seen["user_agent"] == "Strange/1.0"
    assert [line["kind"] for line in told.led_to] == ["engagement.recorded"] * 3


async def test_only_one_person_and_only_since_a_day(scene: Scene) -> None:
    await scene.read(mail("Well, perhaps.", **scene.answers))
    readers = meaning_to("no")
    for narrowed in ({"prospect_id": uuid7()}, {"since": NOW.replace(year=2030)}):
        assert await reread(scene.app, NOW, readers=readers, **narrowed) == (0, [])
    _, found = await reread(scene.app, NOW, readers=readers, prospect_id=scene.who)
    assert len(found) == 1


async def test_an_explanation_tells_what_an_answer_led_to(scene: Scene) -> None:
    await scene.read(mail("Yes, tell me more.", **scene.answers))
    async with transaction(scene.app.engine) as conn:
        [row] = await all_of(conn, engagements)
        told = await explain_engagement(conn, row["id"])
    assert told.seen is not None
    assert told.seen["sender"] == "ola@acme.example"
    assert told.unlock is not None
    assert not told.unlock["booked"]
    assert {line["kind"] for line in told.led_to} >= {"engagement.recorded", "enrollment.unlocked"}
