"""Signing in by the pages: cookies, forms, where they come from, and every way of being refused."""

import base64
import re
from uuid import UUID

import pytest
from fastapi import FastAPI
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from orchestrator.clock import real_now
from orchestrator.config import Settings
from orchestrator.console import visit
from orchestrator.db import make_engine, transaction
from orchestrator.flows.offer_claim import offer_claim
from orchestrator.models.accounts import audit
from orchestrator.rules import totp
from orchestrator.rules.accounts import TRIES_OF_ACCOUNT
from tests.console.conftest import HERE, PASSWORD, Browser, signed_in

Users = dict[str, UUID]


async def test_from_the_claim_to_a_second_user(site: FastAPI, engine: AsyncEngine) -> None:
    browser = Browser(site)
    empty = await browser.get("/console/sign-in")
    assert "avtale users claim" in empty.text
    async with transaction(engine) as conn:
        token = await offer_claim(conn, await real_now(conn))
    assert (await browser.get(f"/console/claim/{token}")).status_code == 200
    short = {"name": "Kari", "email": "kari@office.example", "password": "short"}
    refused = await browser.post(f"/console/claim/{token}", data=short)
    assert refused.status_code == 422
    assert "At least 12 characters" in refused.text
    assert 'value="Kari"' in refused.text
    assert "short" not in re.findall(r'value="([^"]*)"', refused.text)
    claimed = await browser.post(f"/console/claim/{token}", data=short | {"password": PASSWORD})
    assert (claimed.status_code, claimed.headers["location"]) == (303, "../../console/today")
    today = await browser.get("/console/today")
    assert today.status_code == 200
    assert "This instance is yours" in today.text
    assert "This instance is yours" not in (await browser.get("/console/today")).text
    assert (await browser.get(f"/console/claim/{token}")).status_code == 404
    made = await browser.press("/console/users", name="Ola", email="ola@office.example", role="rep")
    link = re.search(rf'value="{HERE}(/console/password/[^"]+)"', made.text)
    assert link is not None
    other = Browser(site)
    assert "ola@office.example" in (await other.get(link[1])).text
    answer = await other.post(link[1], data={"password": "enda en lang setning"})
    assert answer.status_code == 303
    assert (await other.get(link[1])).status_code == 404
    entered = await other.sign_in("ola@office.example", "enda en lang setning")
    assert entered.status_code == 303
    assert (await other.get("/console/users")).status_code == 403


async def test_the_cookie_of_a_session(site: FastAPI, users: Users, settings: Settings) -> None:
    browser = Browser(site)
    answer = await browser.sign_in("ops@office.example")
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-avtale-session=")
    for part in ("HttpOnly", "Path=/", "SameSite=lax", "Secure"):
        assert part in cookie
    assert "Domain" not in cookie
    below = settings.model_copy(update={"base_url": f"{HERE}/sales"})
    assert visit.names_of(below) == ("__Secure-avtale-session", "/sales", True)
    plain = settings.model_copy(update={"base_url": "http://127.0.0.1:8400"})
    assert visit.names_of(plain) == ("avtale-session", "/", False)


async def test_headers_of_every_page(site: FastAPI, users: Users) -> None:
    browser = await signed_in(site, "admin")
    pages = ("sign-in", "today", "users", "audit", "account", "nothing", "claim/x", "forgot")
    for page in pages:
        answer = await browser.get(f"/console/{page}")
        if page == "nothing":
            assert answer.status_code == 404
            continue
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert not re.search(r"<script(?![^>]*src=)|style=|onclick|javascript:", answer.text)


async def test_nobody_sees_anything_and_comes_back_to_what_they_wanted(
    site: FastAPI, users: Users
) -> None:
    browser = Browser(site)
    sent = await browser.get("/console/audit?actor=kari")
    assert sent.headers["location"] == "../console/sign-in?next=console/audit%3Factor%3Dkari"
    data = {"email": "admin@office.example", "password": PASSWORD, "next": "console/audit?actor=x"}
    entered = await browser.post("/console/sign-in", data=data)
    assert entered.headers["location"] == "../console/audit?actor=x"


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example/",
        "//evil.example/",
        "console//evil.example",
        "/console/today",
        "console/../../evil",
        "console/today\r\nx: y",
        "javascript:alert(1)",
        "console/today#x",
    ],
)
def test_after_signing_in_one_is_here_and_nowhere_else(wanted: str) -> None:
    assert visit.safe_next(wanted) == "console/today"


async def test_wrong_and_too_often(site: FastAPI, users: Users) -> None:
    browser = Browser(site)
    told = set()
    for email in ("admin@office.example", "nobody@office.example"):
        answer = await browser.sign_in(email, "wrong password, surely")
        assert answer.status_code == 401
        assert "set-cookie" not in answer.headers
        told.add(answer.text.replace(email, "X"))
    assert len(told) == 1
    for _ in range(TRIES_OF_ACCOUNT):
        answer = await browser.sign_in("admin@office.example", "wrong password, surely")
    assert answer.status_code == 429
    assert "Too many tries" in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
        {"sec-fetch-site": "", "origin": HERE},
        {"sec-fetch-site": "cross-site", "origin": HERE},
    ],
)
async def test_a_form_of_another_site_does_nothing(
    site: FastAPI, users: Users, headers: dict[str, str]
) -> None:
    browser = await signed_in(site, "admin")
    data = {"form_token": await browser.form_token(), "name": "Eve", "theme": "auto"}
    for path in ("/console/account", "/console/sign-in"):
        answer = await browser.post(path, data=data, headers=headers)
        assert answer.status_code == 403, path
    assert "Eve" not in (await browser.get("/console/account")).text


@pytest.mark.parametrize(
    ("origin", "status"),
    [(HERE, 303), ("https://evil.example", 403), ("null", 403), (None, 403)],
)
async def test_where_a_browser_says_no_more_than_its_origin(
    site: FastAPI, users: Users, origin: str | None, status: int
) -> None:
    """Over plain http browsers send no Sec-Fetch-Site."""
    browser = await signed_in(site, "admin")
    request = browser.build_request(
        "POST",
        "/console/account",
        data={"form_token": await browser.form_token(), "name": "Kari", "theme": "dark"},
        headers={"origin": origin} if origin else {},
    )
    answer = await super(Browser, browser).send(request)
    assert answer.status_code == status


@pytest.mark.parametrize("token", ["", "0" * 32, "another's"])
async def test_a_form_without_the_sessions_token_does_nothing(
    site: FastAPI, users: Users, token: str
) -> None:
    browser = await signed_in(site, "admin")
    if token == "another's":
        token = await (await signed_in(site, "ops")).form_token()
    data = {"form_token": token, "name": "Eve", "theme": "auto"}
    assert (await browser.post("/console/account", data=data)).status_code == 403
    assert "Eve" not in (await browser.get("/console/account")).text


async def test_the_second_factor_from_the_pages(site: FastAPI, users: Users) -> None:
    browser = await signed_in(site, "rep")
    offered = await browser.get("/console/account/second-factor")
    assert "<svg" in offered.text
    spelled = re.search(r'class="secret">([A-Z2-7 ]+)<', offered.text)
    assert spelled is not None
    secret = base64.b32decode(spelled[1].replace(" ", ""))
    wrong = await browser.press("/console/account/second-factor", code="000000")
    assert wrong.status_code == 422
    assert "code is not right" in wrong.text
    code = await _code(site, secret, 0)
    turned_on = await browser.press("/console/account/second-factor", code=code)
    codes = re.findall(r"<code>([a-z2-7-]{19})</code>", turned_on.text)
    assert len(codes) == 10
    assert "10 recovery codes left" in (await browser.get("/console/account")).text

    half = Browser(site)
    entered = await half.sign_in("rep@office.example")
    assert entered.headers["location"] == "../console/code?next=console/today"
    for path in ("today", "account", "account/second-factor"):
        answer = await half.get(f"/console/{path}")
        assert answer.headers["location"].endswith("console/code"), path
    token = await half.form_token("/console/code")
    for path in ("account", "account/second-factor/remove", "sign-out"):
        answer = await half.post(f"/console/{path}", data={"form_token": token})
        assert answer.headers["location"].endswith("console/code"), path
    refused = await half.post("/console/code", data={"form_token": token, "code": code})
    assert refused.status_code == 401
    before = half.cookies["__Host-avtale-session"]
    through = await half.post("/console/code", data={"form_token": token, "code": codes[0]})
    assert through.status_code == 303
    assert half.cookies["__Host-avtale-session"] != before
    assert "9 recovery codes left" in (await half.get("/console/account")).text

    not_it = await half.press("/console/account/second-factor/remove", current="not it")
    assert not_it.status_code == 303
    assert "9 recovery codes left" in (await half.get("/console/account")).text
    await half.press("/console/account/second-factor/remove", current=PASSWORD)
    assert "stolen password is not enough" in (await half.get("/console/account")).text


async def _code(site: FastAPI, secret: bytes, ahead: int) -> str:
    async with transaction(site.state.avtale.engine) as conn:
        now = await real_now(conn)
    return totp.code_at(secret, int(now.timestamp()) // totp.STEP + ahead)


async def test_signing_out_here_there_and_everywhere(site: FastAPI, users: Users) -> None:
    here, there, third = [await signed_in(site, "viewer") for _ in range(3)]
    page = (await here.get("/console/account")).text
    [others] = {len(re.findall(r"/sessions/([0-9a-f-]{36})/end\"\n", page))}
    assert others == 2
    first = re.search(r"/sessions/([0-9a-f-]{36})/end", page)
    assert first is not None
    answer = await here.post(
        f"/console/account/sessions/{first[1]}/end",
        data={"form_token": await here.form_token()},
        headers={"hx-request": "true"},
    )
    assert answer.status_code == 200
    assert answer.text.lstrip().startswith("<ul")
    alive = [(await one.get("/console/today")).status_code for one in (there, third)]
    assert sorted(alive) == [200, 303]
    gone = await here.press(f"/console/account/sessions/{first[1]}/end")
    assert gone.status_code == 404
    await here.press("/console/account/sign-out-everywhere")
    for one in (here, there, third):
        assert (await one.get("/console/today")).status_code == 303


async def test_a_cookie_that_was_copied_before_signing_out_is_worth_nothing(
    site: FastAPI, users: Users
) -> None:
    browser = await signed_in(site, "viewer")
    copied = browser.cookies["__Host-avtale-session"]
    await browser.press("/console/sign-out")
    thief = Browser(site)
    thief.cookies.set("__Host-avtale-session", copied)
    assert (await thief.get("/console/today")).status_code == 303


async def test_changing_oneself(site: FastAPI, users: Users, engine: AsyncEngine) -> None:
    browser = await signed_in(site, "ops")
    wrong = await browser.press("/console/account", name=" ", theme="auto", language="")
    assert wrong.status_code == 422
    await browser.press("/console/account", name="Kari <b>", theme="dark", language="nb")
    page = (await browser.get("/console/account")).text
    assert 'lang="nb" data-theme="dark"' in page
    assert "Kari &lt;b&gt;" in page
    assert "Kari <b>" not in page
    bad = await browser.press("/console/account/password", current="no", password=PASSWORD + "!")
    assert (bad.status_code, "ikke passordet ditt" in bad.text) == (422, True)
    await browser.press("/console/account/password", current=PASSWORD, password="helt ny setning")
    assert (await browser.get("/console/today")).status_code == 200
    async with transaction(engine) as conn:
        rows = (await conn.execute(select(audit).order_by(audit.c.id))).mappings().all()
    said = [(row["action"], row["actor_name"]) for row in rows]
    assert ("save_account", "ops@office.example") in said
    assert ("save_password", "ops@office.example") in said
    changed = next(row for row in rows if row["action"] == "save_account")
    assert changed["before"] == {"name": "Ops Nordmann", "theme": "auto", "language": None}


async def test_an_admin_and_the_others(site: FastAPI, users: Users, engine: AsyncEngine) -> None:
    admin, rep = await signed_in(site, "admin"), await signed_in(site, "rep")
    at = f"/console/users/{users['rep']}"
    assert "Rep Nordmann" in (await admin.get(at)).text
    await admin.press(at, name="Rep Nordmann", role="viewer")
    assert (await rep.get("/console/today")).status_code == 303
    await admin.press(f"{at}/disable")
    assert (await rep.sign_in("rep@office.example")).status_code == 401
    await admin.press(f"{at}/enable")
    assert (await rep.sign_in("rep@office.example")).status_code == 303
    link = await admin.press(f"{at}/reset")
    assert "/console/password/" in link.text
    last = await admin.press(f"/console/users/{users['admin']}", name="A", role="ops")
    assert (last.status_code, "last administrator" in last.text) == (409, True)
    log = (await admin.get("/console/audit")).text
    assert "save_user" in log
    assert "viewer" in log
    narrowed = await admin.get("/console/audit", params={"action": "save_user"})
    assert "sign_in" not in narrowed.text


async def test_the_database_away_is_a_page(site: FastAPI, users: Users) -> None:
    browser = await signed_in(site, "viewer")
    await site.state.avtale.engine.dispose()
    site.state.avtale.engine = make_engine("postgresql://nobody@127.0.0.1:1/none")
    answer = await browser.get("/console/today")
    assert answer.status_code == 503
    assert "The database does not answer" in answer.text


async def test_a_forgotten_password_says_the_same_to_everybody(site: FastAPI, users: Users) -> None:
    browser = Browser(site)
    told = set()
    for email in ("ops@office.example", "nobody@office.example", "no address"):
        answer = await browser.post("/console/forgot", data={"email": email})
        assert answer.status_code == 200
        told.add(answer.text)
    assert len(told) == 1
