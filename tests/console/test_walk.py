"""Every page with every role and with nobody: who gets where, and that no route forgot to say."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urljoin
from uuid import UUID, uuid4

import pytest
from fastapi import APIRouter, FastAPI

from orchestrator.console.frame import FILE, HALF, OPEN, ConsoleRoute, Pages
from orchestrator.console.router import make_router
from orchestrator.console.words import FOLDER, words_in
from orchestrator.rules.access import ROLES, Reach, reach_of
from orchestrator.rules.accounts import LANGUAGES
from tests.console.conftest import Browser, signed_in

Users = dict[str, UUID]
# What ends the session that walks comes last, and one at a time.
_LEAVES = ("leave", "end_others")
# Doors of others, each with a lock of its own: a token in the address, a signature, or nothing to
# hide.
PUBLIC = re.compile(
    r"/(p|u|c|o|t)/\{|/static/|/hooks/|/(healthz|readyz|metrics|docs|openapi\.json)$"
)


def routes() -> list[ConsoleRoute]:
    found = [route for route in make_router().routes if isinstance(route, ConsoleRoute)]
    assert len(found) == len(make_router().routes)
    return found


def _address(route: ConsoleRoute) -> str:
    return re.sub(r"\{(\w+)\}", lambda one: str(uuid4()), route.path)


async def _ask(browser: Browser, route: ConsoleRoute, token: str) -> tuple[int, str]:
    """Status, and where it leads."""
    if "POST" in route.methods:
        answer = await browser.post(_address(route), data={"form_token": token})
    else:
        answer = await browser.get(_address(route))
    return answer.status_code, answer.headers.get("location", "")


async def test_every_page_with_every_role(
    site: FastAPI, users: Users, capsys: pytest.CaptureFixture[str]
) -> None:
    """Must show 3 of issue 7, the pages' part."""
    seen = 0
    for role in ROLES:
        browser = await signed_in(site, role)
        token = await browser.form_token()
        for route in sorted(routes(), key=lambda one: one.name in _LEAVES):
            if route.name in _LEAVES:
                browser = await signed_in(site, role)
                token = await browser.form_token()
            status, to = await _ask(browser, route, token)
            told = f"{role} {route.path}: {status} {to}"
            assert status < 500, told
            if route.access in (OPEN, FILE):
                assert status != 403, told
            elif route.access == HALF:
                assert (status, to.endswith("console/today")) == (303, True), told
            elif reach_of(role, route.access) is Reach.NONE:
                assert status == 403, told
            else:
                assert status != 403, told
                assert "sign-in" not in to or route.name in _LEAVES, told
            seen += 1
    with capsys.disabled():
        print(f"\n{seen} requests: {len(ROLES)} roles over {len(routes())} pages and forms")
    assert seen >= 4 * 30


async def test_every_page_with_nobody(site: FastAPI, users: Users) -> None:
    stranger = Browser(site)
    for route in routes():
        status, to = await _ask(stranger, route, "0" * 32)
        if route.access in (OPEN, FILE):
            assert status in (200, 303, 401, 404, 422), f"{route.path}: {status}"
        else:
            assert status == 303, route.path
            assert "console/sign-in" in to, route.path


async def test_a_half_session_reaches_one_question(site: FastAPI, users: Users) -> None:
    browser = await signed_in(site, "admin")
    async with site.state.avtale.engine.begin() as conn:
        await conn.exec_driver_sql("update sessions set stage = 'half'")
    for route in routes():
        if route.access in (OPEN, FILE):
            continue
        status, to = await _ask(browser, route, "0" * 32)
        if route.access == HALF:
            assert status in (200, 403), route.path
        else:
            assert (status, to.endswith("console/code")) == (303, True), route.path


async def test_every_link_works_below_a_path(site: FastAPI, users: Users) -> None:
    """A proxy serves us at /sales/: what pages link to, and where they lead, stays below it."""
    admin, stranger = await signed_in(site, "admin"), Browser(site)
    at = "https://office.example/sales"
    seen = 0
    for route in routes():
        if route.access == FILE or "GET" not in route.methods:
            continue
        path = route.path.replace("{user_id}", str(users["rep"])).replace("{token}", "x")
        for browser in (admin, stranger):
            answer = await browser.get(path)
            links = re.findall(r'(?:href|src|action|hx-get|hx-post)="([^"]+)"', answer.text)
            if to := answer.headers.get("location"):
                links.append(to)
            for link in links:
                assert urljoin(at + path, link).startswith(f"{at}/"), f"{path}: {link}"
                seen += 1
    assert seen > 100


def test_a_page_that_does_not_say_who_may_see_it_cannot_be_made() -> None:
    router = Pages()
    with pytest.raises(KeyError):
        router.get("/console/forgotten")(_page)


async def _page() -> None:
    """A page."""


def test_every_declared_access_is_one_of_the_table() -> None:
    for route in routes():
        known = route.access in (OPEN, HALF, FILE)
        assert known or reach_of("admin", route.access) is Reach.ALL, route.path
        writes = route.access.endswith(":write")
        assert known or writes == ("POST" in route.methods), route.path


def _all(router: Any) -> Iterator[str]:
    for route in router.routes:
        inner = getattr(route, "original_router", None)
        if isinstance(inner, APIRouter):
            yield from _all(inner)
        else:
            yield route.path


def test_every_route_of_the_application_has_a_lock_or_is_known_to_have_none(
    site: FastAPI,
) -> None:
    locked = {path for path in site.openapi()["paths"] if path.startswith("/api/")}
    locked |= {route.path for route in routes()}
    paths = set(_all(site))
    assert {path for path in paths - locked if not PUBLIC.match(path)} == set()
    assert len(paths) > 120


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_says_the_same_things(language: str) -> None:
    english, other = words_in("en").texts, words_in(language).texts
    assert other.keys() == english.keys()
    for key, words in other.items():
        assert words.strip(), key
        holes = [sorted(re.findall(r"\{(\w+)\}", text)) for text in (words, english[key])]
        assert holes[0] == holes[1], key


def test_no_words_are_left_over() -> None:
    sources = [path.read_text() for path in FOLDER.glob("*.html")]
    sources += [
        path.read_text() for path in (FOLDER.parents[1] / "orchestrator/console").glob("*.py")
    ]
    everything = "\n".join(sources)
    # Keys that are put together: "fault." ~ name, "said." ~ key, "role." ~ role ~ "_text" ...
    made = (
        r"said|fault|error|role|task|link\.(title|text)_|today\.state_"
        r"|audit\.(by_|actor|action|subject)|channel|enrollment|people\.quick_"
        r"|outcome|tasks\.(copy|state)_|grade|task_kind|person\.(phone|language|country|zone)"
    )
    unused = [
        key for key in words_in("en").texts if key not in everything and not re.match(made, key)
    ]
    assert unused == []
