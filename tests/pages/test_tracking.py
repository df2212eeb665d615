"""Pixel and links: opaque, purpose-bound, never more than ambiguous, never an open redirect."""

import asyncio
import base64
import random
import string
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from orchestrator import sightings
from orchestrator.db import transaction
from orchestrator.flows.stop_person import stop_person
from orchestrator.ids import uuid7
from orchestrator.keys import Keys
from orchestrator.models.engagement import engagements, provider_events, unlocks
from orchestrator.models.people import prospects
from orchestrator.models.sequences import enrollments
from orchestrator.rules import opens
from orchestrator.store import hits
from tests import seen
from tests.make import NOW
from tests.pages import sample


async def noted(engine: AsyncEngine) -> list[tuple[str, str, list[str]]]:
    """Engagements in order: kind, grade, reasons."""
    async with transaction(engine) as conn:
        rows = await conn.execute(select(engagements).order_by(engagements.c.id))
        return [(row["kind"], row["grade"], row["reasons"]) for row in rows.mappings()]


async def test_an_open_is_ambiguous_and_the_first_of_a_minute_counts(
    engine: AsyncEngine, keys: Keys, browser: httpx.AsyncClient
) -> None:
    _, who = await sample.one(engine, keys)
    for _ in range(4):
        answer = await browser.get(f"/o/{who.tokens['open']}.gif")
        assert answer.headers["content-type"] == "image/gif"
        assert len(answer.content) == 43
    assert 1 <= len(await noted(engine)) <= 2  # two when the minute turned meanwhile
    assert set(map(str, (await noted(engine))[0][:2])) == {"open", "ambiguous"}


async def test_a_machine_first_does_not_hide_the_person_after_it(
    engine: AsyncEngine, keys: Keys, browser: httpx.AsyncClient
) -> None:
    _, who = await sample.one(engine, keys)
    await browser.head(f"/o/{who.tokens['open']}.gif")
    await browser.get(f"/o/{who.tokens['open']}.gif")
    assert [grade for _, grade, _ in await noted(engine)] == ["machine", "ambiguous"]


async def test_the_pixel_is_the_same_for_any_token(
    engine: AsyncEngine, keys: Keys, browser: httpx.AsyncClient
) -> None:
    _, who = await sample.one(engine, keys)
    good = await browser.get(f"/o/{who.tokens['open']}.gif")
    for token in (
        "x" * 43,
        "x",
        who.tokens["page"],
        who.tokens["click"],
        keys.token("open", uuid7()),
    ):
        bad = await browser.get(f"/o/{token}.gif")
        assert (bad.status_code, bad.content) == (good.status_code, good.content)
        assert dict(bad.headers) == dict(good.headers)
    assert len(await noted(engine)) == 1


async def test_a_click_leads_to_the_stored_url_and_asks_for_the_one_tap(
    engine: AsyncEngine, keys: Keys, browser: httpx.AsyncClient
) -> None:
    _, who = await sample.one(engine, keys)
    answer = await browser.get(f"/c/{who.tokens['click']}")
    assert answer.status_code == 200
    assert 'href="https://sender.example/notat?nr=' in answer.text
    assert f"p/{who.tokens['page']}/more" in answer.text
    assert await noted(engine) == [("click", "ambiguous", ["no_machine_sign"])]
    await browser.post(f"{who.page}/more")
    async with transaction(engine) as conn:
        assert len((await conn.execute(select(unlocks))).all()) == 1
    # Who has answered is led on at once.
    answer = await browser.get(f"/c/{who.tokens['click']}")
    assert answer.status_code == 302
    assert answer.headers["location"].startswith("https://sender.example/notat?nr=")
    await browser.head(f"/c/{who.tokens['click']}")
    assert (await noted(engine))[-1] == ("click", "machine", ["not_a_get"])


async def test_scanners_and_people_are_shown_the_same(
    engine: AsyncEngine, keys: Keys, browser: httpx.AsyncClient
) -> None:
    """A gateway that met another page than people do would call it a trick."""
    _, who = await sample.one(engine, keys)
    door = f"/c/{who.tokens['click']}"
    person = await browser.get(door)
    robot = await browser.get(door, headers={"user-agent": "Barracuda Sentinel (EE)"})
    assert (person.status_code, person.text) == (robot.status_code, robot.text)


async def test_the_hidden_link_marks_its_fetcher_and_changes_nothing_else(
    engine: AsyncEngine, keys: Keys, browser: httpx.AsyncClient
) -> None:
    _, who = await sample.one(engine, keys, sent=1)
    await browser.get(f"/c/{who.tokens['click']}")
    answer = await browser.get(f"/t/{keys.token('trap', who.messages[0])}")
    assert answer.status_code == 200
    assert f"p/{who.tokens['page']}" in answer.text
    async with transaction(engine) as conn:
        query = select(engagements).order_by(engagements.c.id)
        rows = list((await conn.execute(query)).mappings())
        (person,) = (await conn.execute(select(prospects))).mappings()
    assert [(row["kind"], row["grade"]) for row in rows] == [
        ("click", "ambiguous"),
        ("trap", "machine"),
        ("click", "machine"),
    ]
    assert rows[2]["revises"] == rows[0]["id"]
    assert "fetcher_of_hidden_link" in rows[2]["reasons"]
    assert rows[2]["provider_event_id"] == rows[0]["provider_event_id"]
    assert person["opted_out_at"] is None


async def test_two_links_of_one_scan_see_each_other_however_they_race(
    engine: AsyncEngine, keys: Keys, browser: httpx.AsyncClient
) -> None:
    _, who = await sample.one(engine, keys, sent=1)
    doors = [f"/c/{keys.token('click', link)}" for link in who.links]
    await asyncio.gather(*(browser.get(door) for door in doors))
    async with transaction(engine) as conn:
        standing = await hits.of_message(conn, who.messages[0])
    assert [row["grade"] for row in standing] == ["machine", "machine"]


async def test_a_link_that_is_judged_while_another_comes_is_judged_anew_in_a_race(
    engine: AsyncEngine, keys: Keys
) -> None:
    """The second judge waits for the first, and so sees the verdict that it has to revise."""
    _, who = await sample.one(engine, keys, sent=1)
    hit, now = opens.Hit("GET", sample.USER_AGENT, language=True), datetime.now(UTC)
    judging: list[asyncio.Task[object]] = []
    async with engine.connect() as first, engine.connect() as second:
        given: dict[str, Any] = {"kind": "click", "hit": hit, "now": now}
        await seen.note_seen(first, keys, subject=who.links[0], **given)
        other = seen.note_seen(second, keys, subject=who.links[1], **given)
        judging.append(asyncio.create_task(other))
        await asyncio.wait(judging, timeout=0.5)
        await first.commit()
        await judging[0]
        await second.commit()
    async with transaction(engine) as conn:
        standing = await hits.of_message(conn, who.messages[0])
    assert [row["grade"] for row in standing] == ["machine", "machine"]


async def test_whoever_holds_a_link_cannot_fill_the_table(
    engine: AsyncEngine, keys: Keys, browser: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sightings, "MOST", 3)
    _, who = await sample.one(engine, keys)
    for number in range(6):
        agent = f"{sample.USER_AGENT} {number}"
        await browser.get(f"/o/{who.tokens['open']}.gif", headers={"user-agent": agent})
    assert len(await noted(engine)) == 3
    await browser.get(f"/t/{keys.token('trap', who.messages[0])}")
    assert ("trap", "machine") in {row[:2] for row in await noted(engine)}


async def test_b2_who_follows_the_unsubscribe_link_unsubscribes_nobody(
    engine: AsyncEngine, keys: Keys, browser: httpx.AsyncClient
) -> None:
    """B2: scanners follow that one, too."""
    _, who = await sample.one(engine, keys)
    for method in ("GET", "HEAD"):
        assert (await browser.request(method, f"/u/{who.tokens['unsubscribe']}")).status_code == 200
    async with transaction(engine) as conn:
        (person,) = (await conn.execute(select(prospects))).mappings()
        assert person["opted_out_at"] is None
    assert await noted(engine) == []


async def test_every_link_at_once_is_a_scanner_also_in_hindsight(
    engine: AsyncEngine, keys: Keys, browser: httpx.AsyncClient
) -> None:
    """B1: a browser's user agent does not make a person of SafeLinks."""
    _, who = await sample.one(engine, keys, sent=1)
    for link in who.links:
        await browser.get(f"/c/{keys.token('click', link)}")
    async with transaction(engine) as conn:
        query = select(engagements).order_by(engagements.c.id)
        rows = list((await conn.execute(query)).mappings())
    assert [row["grade"] for row in rows] == ["ambiguous", "machine", "machine"]
    assert rows[2]["revises"] == rows[0]["id"]
    assert rows[2]["reasons"] == ["several_links_at_once"]


async def test_links_of_different_messages_are_no_scanner(
    engine: AsyncEngine, keys: Keys, browser: httpx.AsyncClient
) -> None:
    _, who = await sample.one(engine, keys)
    for link in (who.links[0], who.links[2]):
        await browser.get(f"/c/{keys.token('click', link)}")
    assert [grade for _, grade, _ in await noted(engine)] == ["ambiguous", "ambiguous"]


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "//evil.example",
        "https://a@evil.example/",
        "https://x/\r\nA: b",
        "/u/x",
    ],
)
async def test_a_url_that_should_not_be_there_is_not_followed(
    engine: AsyncEngine, keys: Keys, browser: httpx.AsyncClient, url: str
) -> None:
    _, who = await sample.one(engine, keys)
    async with transaction(engine) as conn:
        bad = await sample.link(conn, who.messages[0], url)
    answer = await browser.get(f"/c/{keys.token('click', bad)}")
    assert answer.status_code == 404
    assert "location" not in answer.headers


def altered(token: str, seed: int) -> list[str]:
    """The token with single characters changed, cut, lengthened, or in another case."""
    rng = random.Random(seed)
    alphabet = string.ascii_letters + string.digits + "-_"
    made = [token[:-1], token + "A", token[1:], token.swapcase(), token[::-1], token + "=", ""]
    for _ in range(60):
        place = rng.randrange(len(token))
        made.append(token[:place] + rng.choice(alphabet) + token[place + 1 :])
    subject = bytearray(base64.urlsafe_b64decode(token + "="))
    subject[15] ^= 1  # the neighbour's id with this one's MAC
    made.append(base64.urlsafe_b64encode(bytes(subject)).decode().rstrip("="))
    return [one for one in made if one and one != token]


@pytest.mark.parametrize("purpose", ["page", "click", "unsubscribe", "trap"])
async def test_an_altered_token_is_404_and_always_the_same_page(
    engine: AsyncEngine, keys: Keys, browser: httpx.AsyncClient, purpose: str
) -> None:
    _, who = await sample.one(engine, keys)
    door = {"page": "/p/", "click": "/c/", "unsubscribe": "/u/", "trap": "/t/"}[purpose]
    seen = set()
    for token in altered(who.tokens[purpose], seed=7):
        answer = await browser.get(door + token)
        assert answer.status_code == 404
        seen.add(answer.text)
    seen.add((await browser.get(door + keys.token(purpose, uuid7()))).text)  # well made, of nobody
    assert len(seen) == 1


async def test_a_token_is_good_for_its_own_purpose_only(
    engine: AsyncEngine, keys: Keys, browser: httpx.AsyncClient
) -> None:
    _, who = await sample.one(engine, keys)
    subjects: dict[str, UUID] = {
        "page": who.enrollment,
        "click": who.links[0],
        "unsubscribe": who.messages[0],
        "trap": who.messages[0],
    }
    doors = {"page": "/p/", "click": "/c/", "unsubscribe": "/u/", "trap": "/t/"}
    for purpose, door in doors.items():
        for other in ("page", "open", "click", "trap", "unsubscribe", "reply", "booking"):
            if other != purpose:
                token = keys.token(other, subjects[purpose])
                assert (await browser.get(door + token)).status_code == 404
                for act in ("", "/more", "/later", "/never", "/book", "/move", "/cancel"):
                    posted = await browser.post(door + token + act)
                    assert posted.status_code in (404, 405)
    assert await noted(engine) == []


async def test_a_scanner_that_follows_everything_changes_nothing(
    engine: AsyncEngine, keys: Keys, browser: httpx.AsyncClient
) -> None:
    """B2, B3: GET and HEAD on every link we ever hand out, and nobody is opted out or unlocked."""
    _, who = await sample.one(engine, keys)
    paths = [f"/u/{who.tokens['unsubscribe']}", f"/o/{who.tokens['open']}.gif", who.page]
    paths += [f"/c/{keys.token('click', link)}" for link in who.links]
    paths += [f"/t/{keys.token('trap', who.messages[0])}"]
    ends = ("times", "booked", "move", "cancel", "more", "later", "never", "book", "invitation.ics")
    paths += [f"{who.page}/{end}" for end in ends]
    for path in paths:
        for method in ("HEAD", "GET", "OPTIONS"):
            answer = await browser.request(method, path, params={"List-Unsubscribe": "One-Click"})
            assert answer.status_code < 500
    async with transaction(engine) as conn:
        (person,) = (await conn.execute(select(prospects))).mappings()
        (enrolled,) = (await conn.execute(select(enrollments))).mappings()
        assert not (await conn.execute(select(unlocks))).all()
    assert (person["opted_out_at"], person["not_before"]) == (None, None)
    assert (enrolled["state"], enrolled["answered_at"]) == ("active", None)
    assert "human" not in {grade for _, grade, _ in await noted(engine)}


async def test_who_has_opted_out_is_not_followed_any_more(
    engine: AsyncEngine, keys: Keys, browser: httpx.AsyncClient
) -> None:
    _, who = await sample.one(engine, keys)
    async with transaction(engine) as conn:
        await stop_person(conn, prospect_id=who.prospect, reason="opt_out", now=NOW)
    await browser.get(f"/o/{who.tokens['open']}.gif")
    assert (await browser.get(f"/c/{who.tokens['click']}")).status_code == 302
    await browser.get(f"/t/{keys.token('trap', who.messages[0])}")
    await browser.get(who.page)
    assert await noted(engine) == []


async def test_what_was_stored_is_handled_at_once_and_holds_no_address(
    engine: AsyncEngine, keys: Keys, browser: httpx.AsyncClient
) -> None:
    _, who = await sample.one(engine, keys)
    await browser.get(f"/c/{who.tokens['click']}", headers={"user-agent": "x" * 5000})
    async with transaction(engine) as conn:
        (event,) = (await conn.execute(select(provider_events))).mappings()
    assert (event["state"], event["prospect_id"]) == ("handled", who.prospect)
    assert event["message_id"] == who.messages[0]
    assert len(event["raw"]) < 500
    assert b"@" not in event["raw"]
    assert b"127.0.0.1" not in event["raw"]  # the client's address, of which a hash is kept
