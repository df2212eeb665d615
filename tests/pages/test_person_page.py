"""The prospect's own page: what it says, what it offers and what its buttons do."""

from datetime import date, timedelta

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from orchestrator.db import transaction
from orchestrator.keys import Keys
from orchestrator.models.engagement import engagements, provider_events, unlocks
from orchestrator.models.people import prospects
from orchestrator.models.sequences import enrollments
from orchestrator.pages.words import LANGUAGES, words_in
from tests.pages import sample


async def _all(engine: AsyncEngine, query) -> list:
    async with transaction(engine) as conn:
        return list((await conn.execute(query)).mappings())


@pytest.mark.parametrize("language", LANGUAGES)
async def test_it_says_who_wrote_what_and_why(
    engine: AsyncEngine, keys: Keys, browser: httpx.AsyncClient, language: str
) -> None:
    _, who = await sample.one(engine, keys, language=language)
    answer = await browser.get(who.page)
    words = words_in(language)
    assert answer.status_code == 200
    assert f'<html lang="{language}">' in answer.text
    assert "Kari Nordmann" in answer.text
    assert sample.ORGANISATION.replace("&", "&amp;") in answer.text
    assert "Jeg så at dere søker en medarbeider" in answer.text
    assert "Fjordregnskap AS" in answer.text
    assert words("person.source", source="stillingsannonse på finn.no") in answer.text
    for key in ("more.button", "later.button", "never.button"):
        assert words(key) in answer.text
    assert words("times_choice.button") not in answer.text


@pytest.mark.parametrize(
    ("own", "accept", "expected"),
    [
        ("sv", "de", "sv"),
        ("no", None, "nb"),
        ("nn", None, "nb"),
        ("en-GB", None, "en"),
        (None, "de-AT,de;q=0.9,en;q=0.8", "de"),
        (None, "fr, da;q=0.5, en;q=0.9", "en"),
        ("fi", "sv;q=0.8", "sv"),
        (None, "x;q=nan,;;;q=,*", "en"),
        (None, None, "en"),
    ],
)
async def test_the_language_is_theirs(
    engine: AsyncEngine, keys: Keys, browser: httpx.AsyncClient, own, accept, expected
) -> None:
    _, who = await sample.one(engine, keys, language=own)
    answer = await browser.get(who.page, headers={"accept-language": accept or ""})
    assert f'<html lang="{expected}">' in answer.text


async def test_more_is_a_human_tap_and_opens_the_times(
    engine: AsyncEngine, keys: Keys, browser: httpx.AsyncClient
) -> None:
    world, who = await sample.one(engine, keys)
    answer = await browser.post(f"{who.page}/more")
    assert (answer.status_code, answer.headers["location"]) == (303, f"../{who.tokens['page']}")
    again = await browser.post(f"{who.page}/more")  # a second press does nothing
    assert again.status_code == 303
    rows = await _all(engine, select(engagements).where(engagements.c.grade == "human"))
    assert [(row["kind"], row["meaning"]) for row in rows] == [("tap", "interested")]
    opened = await _all(engine, select(unlocks))
    assert [(row["enrollment_id"], row["host_id"]) for row in opened] == [
        (who.enrollment, world.host)
    ]
    page = await browser.get(who.page)
    assert words_in("nb")("standing.unlocked") in page.text
    assert f"{who.tokens['page']}/times" in page.text


async def test_not_now_with_a_preset(
    engine: AsyncEngine, keys: Keys, browser: httpx.AsyncClient
) -> None:
    _, who = await sample.one(engine, keys)
    answer = await browser.post(f"{who.page}/later", data={"preset": "quarter"})
    assert answer.status_code == 303
    (row,) = await _all(engine, select(prospects))
    now = (await _all(engine, text("select clock_timestamp() as now")))[0]["now"]
    assert timedelta(days=88) < row["not_before"] - now < timedelta(days=93)
    (tapped,) = await _all(engine, select(engagements).where(engagements.c.grade == "human"))
    assert (tapped["kind"], tapped["meaning"]) == ("tap", "not_now")
    assert not await _all(engine, select(unlocks))
    page = await browser.get(who.page)
    assert "Du hører ikke fra oss før" in page.text


async def test_not_now_with_a_date_of_their_own(
    engine: AsyncEngine, keys: Keys, browser: httpx.AsyncClient
) -> None:
    _, who = await sample.one(engine, keys, language="en", country="GB", zone="Europe/London")
    chosen = date.today() + timedelta(days=200)  # noqa: DTZ011 - any day in the future
    await browser.post(f"{who.page}/later", data={"date": chosen.isoformat()})
    page = await browser.get(who.page)
    assert f"You will not hear from us before {chosen.day} {chosen:%B %Y}." in page.text


@pytest.mark.parametrize(
    ("form", "fault"),
    [
        ({"date": "2020-01-01"}, "past"),
        ({"date": "9999-12-31"}, "far"),
        ({"date": ""}, "missing"),
        ({"date": "soon"}, "missing"),
        ({"preset": "year"}, "missing"),
        ({}, "missing"),
    ],
)
async def test_a_date_that_makes_no_sense_is_said_kindly(
    engine: AsyncEngine, keys: Keys, browser: httpx.AsyncClient, form, fault
) -> None:
    _, who = await sample.one(engine, keys)
    answer = await browser.post(f"{who.page}/later", data=form)
    assert answer.status_code == 422
    assert words_in("nb")(f"later.fault_{fault}") in answer.text
    (row,) = await _all(engine, select(prospects))
    assert row["not_before"] is None


async def test_never_is_for_good_and_leaves_nothing_to_choose(
    engine: AsyncEngine, keys: Keys, browser: httpx.AsyncClient
) -> None:
    _, who = await sample.one(engine, keys)
    assert (await browser.post(f"{who.page}/never")).status_code == 303
    (row,) = await _all(engine, select(prospects))
    assert row["opted_out_at"] is not None
    (enrolled,) = await _all(engine, select(enrollments))
    assert (enrolled["state"], enrolled["stop_reason"]) == ("stopped", "opt_out")
    page = await browser.get(who.page)
    assert words_in("nb")("standing.opted_out") in page.text
    assert "<form" not in page.text
    await browser.post(f"{who.page}/more")
    await browser.post(f"{who.page}/later", data={"preset": "month"})
    assert not await _all(engine, select(unlocks))
    (after,) = await _all(engine, select(prospects))
    assert after["not_before"] is None


async def test_a_look_is_noted_and_changes_nothing_else(
    engine: AsyncEngine, keys: Keys, browser: httpx.AsyncClient
) -> None:
    _, who = await sample.one(engine, keys)
    before = await snapshot(engine)
    for _ in range(3):
        await browser.get(who.page)
        await browser.head(who.page)
    assert await snapshot(engine) == before
    (event,) = await _all(engine, select(provider_events))
    assert (event["source"], event["kind"], event["state"]) == ("page", "page_view", "handled")
    (noted,) = await _all(engine, select(engagements))
    assert (noted["kind"], noted["grade"]) == ("page_view", "ambiguous")


async def snapshot(engine: AsyncEngine) -> dict[str, list]:
    """Every row of every table but the ones that notes are kept in."""
    from orchestrator.models import metadata

    kept = {"provider_events", "engagements", "history"}
    return {
        table.name: sorted(map(repr, await _all(engine, select(table))))
        for table in metadata.sorted_tables
        if table.name not in kept
    }


async def test_hostile_names_and_subjects_are_only_text(
    engine: AsyncEngine, keys: Keys, browser: httpx.AsyncClient
) -> None:
    evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{7*7}}"
    _, who = await sample.one(
        engine,
        keys,
        language="en",
        first_name=evil,
        company=evil,
        subject=evil,
        text=evil + "\n</div></details>",
        fact=evil,
    )
    answer = await browser.get(who.page)
    assert answer.status_code == 200
    assert "<script" not in answer.text
    assert "<img src=x" not in answer.text
    assert "{{7*7}}" in answer.text
    assert answer.text.count("&lt;script&gt;") >= 5


async def test_every_answer_carries_the_headers(
    engine: AsyncEngine, keys: Keys, browser: httpx.AsyncClient, pages_app: FastAPI
) -> None:
    _, who = await sample.one(engine, keys)
    answers = [
        await browser.get(who.page),
        await browser.get("/p/" + "x" * 43),
        await browser.get(f"{who.page}/times"),
        await browser.post(f"{who.page}/later", data={}),
        await browser.post(f"{who.page}/more"),
        await browser.get(f"/u/{who.tokens['unsubscribe']}"),
        await browser.get(f"/o/{who.tokens['open']}.gif"),
        await browser.get(f"/c/{who.tokens['click']}"),
    ]
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script" not in policy
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"
        assert "noindex" in answer.headers["x-robots-tag"]
        assert "set-cookie" not in answer.headers
        assert "style=" not in answer.text
        assert "<script" not in answer.text
    style = await browser.get("/static/pages.css")
    assert style.headers["content-type"].startswith("text/css")
    assert "max-age" in style.headers["cache-control"]


async def test_it_works_under_any_path(
    engine: AsyncEngine, keys: Keys, browser: httpx.AsyncClient
) -> None:
    _, who = await sample.one(engine, keys)
    for path in (who.page, f"{who.page}/times", f"/u/{who.tokens['unsubscribe']}"):
        page = await browser.get(path)
        seen = [part.split('"')[0] for part in page.text.split('href="')[1:]]
        seen += [part.split('"')[0] for part in page.text.split('action="')[1:]]
        assert seen
        for address in seen:
            assert not address.startswith("/")
            if not address.startswith(("#", "https://meet")):
                there = httpx.URL(f"https://proxy.example/some/where{path}").join(address)
                assert there.path.startswith("/some/where/")


async def test_the_number_of_queries_is_fixed(engine: AsyncEngine, keys: Keys) -> None:
    from sqlalchemy import event

    from orchestrator.flows.view_page import view_page
    from tests.make import NOW

    counts = []
    async with transaction(engine) as conn:
        world = await sample.build(conn)
        for sent in (1, 2):
            who = await sample.someone(conn, keys, world, sent=sent)
            seen: list[str] = []

            def note(_conn, _cursor, statement, *_rest, seen=seen) -> None:
                seen.append(statement)

            event.listen(engine.sync_engine, "before_cursor_execute", note)
            await view_page(conn, enrollment_id=who.enrollment, now=NOW, with_letters=True)
            event.remove(engine.sync_engine, "before_cursor_execute", note)
            counts.append(len(seen))
    assert counts == [3, 3]
