"""Pixel and links: opaque, purpose-bound, never more than ambiguous, never an open redirect."""

import base64
import random
import string
from uuid import UUID

import httpx
import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from orchestrator.db import transaction
from orchestrator.flows.stop_person import stop_person
from orchestrator.ids import uuid7
from orchestrator.keys import Keys
from orchestrator.models.engagement import engagements, provider_events, unlocks
from orchestrator.models.people import prospects
from orchestrator.models.sequences import enrollments
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


async def test_a_click_leads_to_the_stored_url(
    engine: AsyncEngine, keys: Keys, browser: httpx.AsyncClient
) -> None:
    _, who = await sample.one(engine, keys)
    answer = await browser.get(f"/c/{who.tokens['click']}")
    assert answer.status_code == 302
    assert answer.headers["location"].startswith("https://sender.example/notat?nr=")
    assert await noted(engine) == [("click", "ambiguous", [])]
    await browser.head(f"/c/{who.tokens['click']}")
    assert (await noted(engine))[1] == ("click", "machine", ["not_a_get"])


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


@pytest.mark.parametrize("purpose", ["page", "click", "unsubscribe"])
async def test_an_altered_token_is_404_and_always_the_same_page(
    engine: AsyncEngine, keys: Keys, browser: httpx.AsyncClient, purpose: str
) -> None:
    _, who = await sample.one(engine, keys)
    door = {"page": "/p/", "click": "/c/", "unsubscribe": "/u/"}[purpose]
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
    }
    doors = {"page": "/p/", "click": "/c/", "unsubscribe": "/u/"}
    for purpose, door in doors.items():
        for other in ("page", "open", "click", "unsubscribe", "reply", "booking"):
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
    assert len(event["raw"]) < 400
    assert b"@" not in event["raw"]
