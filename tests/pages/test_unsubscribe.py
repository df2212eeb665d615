"""Unsubscribe: GET shows, POST acts, one click from a mail program (RFC 8058)."""

import asyncio

import httpx
import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from orchestrator.db import transaction
from orchestrator.keys import Keys
from orchestrator.models.people import prospects, suppressions
from orchestrator.models.sequences import enrollments
from orchestrator.models.work import history
from orchestrator.pages import limits
from orchestrator.pages.words import LANGUAGES, words_in
from tests.pages import sample

ONE_CLICK = "List-Unsubscribe=One-Click"


async def opted_out(engine: AsyncEngine) -> bool:
    """Whether the only prospect has opted out."""
    async with transaction(engine) as conn:
        (person,) = (await conn.execute(select(prospects))).mappings()
        return person["opted_out_at"] is not None


@pytest.mark.parametrize("language", LANGUAGES)
async def test_get_asks_and_the_form_acts(
    engine: AsyncEngine, keys: Keys, browser: httpx.AsyncClient, language: str
) -> None:
    _, who = await sample.one(engine, keys, language=language)
    path = f"/u/{who.tokens['unsubscribe']}"
    words = words_in(language)
    asked = await browser.get(path)
    assert words("unsubscribe.button") in asked.text
    assert who.tokens["page"] in asked.text
    assert not await opted_out(engine)
    done = await browser.post(path, data={"confirm": "1"})
    assert (done.status_code, words("unsubscribe.done") in done.text) == (200, True)
    assert await opted_out(engine)
    assert words("unsubscribe.done") in (await browser.get(path)).text


@pytest.mark.parametrize(
    "sent",
    [
        {"content": ONE_CLICK, "headers": {"content-type": "application/x-www-form-urlencoded"}},
        {"files": {"List-Unsubscribe": (None, "One-Click")}},
        {"content": ONE_CLICK},
        {"content": b""},
        {"content": b"\xff\x00", "headers": {"content-type": "multipart/form-data"}},
        {
            "content": b"--x\r\nnonsense",
            "headers": {"content-type": "multipart/form-data; boundary=x"},
        },
    ],
    ids=["urlencoded", "multipart", "no type", "empty", "no boundary", "broken"],
)
async def test_one_click_is_a_small_200_without_redirect_or_cookie(
    engine: AsyncEngine, keys: Keys, browser: httpx.AsyncClient, sent
) -> None:
    _, who = await sample.one(engine, keys)
    answer = await browser.post(f"/u/{who.tokens['unsubscribe']}", **sent)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    assert len(answer.content) < 200
    assert "set-cookie" not in answer.headers
    assert "location" not in answer.headers
    assert await opted_out(engine)


async def test_it_is_the_person_and_everything(
    engine: AsyncEngine, keys: Keys, browser: httpx.AsyncClient
) -> None:
    _, who = await sample.one(engine, keys)
    await browser.post(f"/u/{who.tokens['unsubscribe']}", content=ONE_CLICK)
    async with transaction(engine) as conn:
        (enrolled,) = (await conn.execute(select(enrollments))).mappings()
        suppressed = (await conn.execute(select(suppressions))).mappings().all()
    assert enrolled["state"] == "stopped"
    assert len(suppressed) == 2  # both addresses that we know of this person
    assert {row["scope"] for row in suppressed} == {"person"}


async def test_again_and_at_once_changes_nothing_more(
    engine: AsyncEngine, keys: Keys, browser: httpx.AsyncClient
) -> None:
    _, who = await sample.one(engine, keys)
    path = f"/u/{who.tokens['unsubscribe']}"
    answers = await asyncio.gather(*(browser.post(path, content=ONE_CLICK) for _ in range(5)))
    assert {answer.status_code for answer in answers} == {200}
    assert (await browser.post(path, content=ONE_CLICK)).status_code == 200
    async with transaction(engine) as conn:
        rows = (await conn.execute(select(history.c.kind))).scalars().all()
    assert rows.count("prospect.opted_out") == 1


async def test_other_methods_do_nothing(
    engine: AsyncEngine, keys: Keys, browser: httpx.AsyncClient
) -> None:
    _, who = await sample.one(engine, keys)
    for method in ("GET", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH"):
        await browser.request(method, f"/u/{who.tokens['unsubscribe']}", content=ONE_CLICK)
    assert not await opted_out(engine)


async def test_a_body_that_is_too_large_is_refused(
    engine: AsyncEngine, keys: Keys, browser: httpx.AsyncClient
) -> None:
    _, who = await sample.one(engine, keys)

    async def endless():
        for _ in range(40):
            yield b"x" * 1024

    for content in (b"x" * 16_385, endless()):
        answer = await browser.post(f"/u/{who.tokens['unsubscribe']}", content=content)
        assert answer.status_code == 413
    assert not await opted_out(engine)


async def test_many_presses_get_429_and_another_link_does_not(
    engine: AsyncEngine, keys: Keys, browser: httpx.AsyncClient
) -> None:
    _, who = await sample.one(engine, keys)
    codes = [(await browser.post(f"{who.page}/later", data={})).status_code for _ in range(30)]
    assert codes[0] == 422
    assert codes[-1] == 429
    assert (await browser.get(who.page)).status_code == 200
    other = await browser.post(f"/u/{who.tokens['unsubscribe']}", content=ONE_CLICK)
    assert other.status_code == 200


def test_a_bucket_fills_again_and_forgets_the_least_used() -> None:
    buckets = limits.Buckets(burst=2, per_second=1, keys=3)
    buckets.take("a", 0.0)
    buckets.take("a", 0.0)
    with pytest.raises(limits.TooMany):
        buckets.take("a", 0.5)
    buckets.take("a", 1.0)
    for key in "bcd":
        buckets.take(key, 1.0)
    assert list(buckets._levels) == ["b", "c", "d"]
