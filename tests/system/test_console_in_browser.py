"""The console in a real browser: claimed, walked, looked at by axe-core, without a mouse."""

import asyncio
import base64
import json
import re
import shutil
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import uvicorn
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from orchestrator.access_address import address_of
from orchestrator.api.app import create_app
from orchestrator.clock import real_now
from orchestrator.config import Settings
from orchestrator.db import transaction
from orchestrator.dev.console_pictures import PASSWORD, claim, invite
from orchestrator.embedded import Embedded
from orchestrator.flows.offer_claim import offer_claim
from orchestrator.ids import uuid7
from orchestrator.keys import Keys
from orchestrator.models.calls import hosts
from orchestrator.models.messages import senders
from orchestrator.models.sequences import sequence_versions, sequences
from orchestrator.models.work import tasks
from orchestrator.rules import totp
from tests import make
from tests.conftest import SECRET
from tests.pages import sample

CHROMIUM = shutil.which("chromium")
AXE = Path(__file__).parents[2] / "frontend" / "built" / "axe.min.js"
pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]
INSIDE = ("today", "people", "tasks", "users", "audit", "account", "account/second-factor")
DOORS = ("sign-in", "forgot", "claim/nothing")


@dataclass
class Site:
    """A running console, a browser on it, and what the browser complained about."""

    base: str
    claim: str
    browser: Browser
    engine: AsyncEngine
    complaints: list[str]

    async def visitor(self, **options: Any) -> tuple[BrowserContext, Page]:
        """Somebody with a browser of their own. What its console says of policies is kept."""
        context = await self.browser.new_context(locale="en-GB", **options)
        page = await context.new_page()
        page.on("console", lambda said: self.complaints.append(said.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        return context, page


@pytest.fixture
async def console(
    servers: Embedded, database_url: str, engine: AsyncEngine, keys: Keys, tmp_path: Path
) -> AsyncIterator[Site]:
    listening = socket.create_server(("127.0.0.1", 0))
    base = f"http://127.0.0.1:{listening.getsockname()[1]}"
    settings = Settings(
        database_url=database_url,
        redis_url=servers.endpoints.redis_url,
        secret_key=SECRET.decode(),
        data_dir=tmp_path,
        base_url=base,
    )
    server = uvicorn.Server(uvicorn.Config(create_app(settings), log_level="warning"))
    task = asyncio.create_task(server.serve(sockets=[listening]))
    async with transaction(engine) as conn:
        token = await offer_claim(conn, await real_now(conn))
        await make.world(conn)
    assert token is not None
    link = address_of(settings, "claim", token)
    try:
        async with async_playwright() as driver:
            browser = await driver.chromium.launch(
                executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
            )
            yield Site(base, link, browser, engine, [])
            await browser.close()
    finally:
        server.should_exit = True
        await task


async def faults(page: Page) -> list[str]:
    """What axe-core finds on this page. It is put into the page from outside its policy."""
    found = await page.evaluate(AXE.read_text() + "; axe.run(document).then(JSON.stringify)")
    return [
        f"{page.url}: {one['id']}: {one['help']} ({one['nodes'][0]['target']})"
        for one in json.loads(found)["violations"]
    ]


async def somebody(console: Site) -> tuple[UUID, UUID]:
    """A person with everything on their page, and a task of theirs; names that are hostile."""
    hostile = '"><img src=x onerror="window.ran=1"><script>window.ran=1</script>\u202ex'
    keys = Keys(SECRET)
    async with transaction(console.engine) as conn:
        row = (
            await conn.execute(
                select(sequences.c.id, sequence_versions.c.id.label("version")).join(
                    sequence_versions, sequence_versions.c.sequence_id == sequences.c.id
                )
            )
        ).one()
        sender = await conn.scalar(select(senders.c.id))
        host = await conn.scalar(select(hosts.c.id))
        world = make.World(
            sender, host, row.id, row.version, make.Program.model_validate(make.PROGRAM)
        )
        made = await sample.someone(conn, keys, world, subject=hostile, fact=hostile, title=hostile)
        await sample.interested(conn, keys, made)
        task = uuid7()
        await conn.execute(
            insert(tasks).values(
                id=task, kind="manual", prospect_id=made.prospect, title="Write by hand",
                detail={"text": f"Hei Ola.\n\n{hostile}", "subject": "Bilag"},
            )
        )  # fmt: skip
    return made.prospect, task


async def test_people_are_found_while_somebody_types(console: Site) -> None:
    context, page = await console.visitor()
    await claim(page, console.claim)
    person, task = await somebody(console)
    await page.goto(f"{console.base}/console/people")
    await page.evaluate("window.same = true")
    await page.locator("#q").press_sequentially("zz")
    await page.wait_for_selector(".empty")
    assert await page.evaluate("document.activeElement.id") == "q"
    await page.fill("#q", "hans")
    await page.wait_for_selector("table.people")
    assert "q=hans" in page.url
    assert await page.evaluate("window.same")
    await page.click("table.people tbody a")
    await page.wait_for_url(f"**/console/people/{person}")
    await page.click("button[popovertarget=sure]")
    await page.check("input[value=stop]")
    await page.click("#sure button.firm")
    await expect(page.locator(".toast")).to_contain_text("Stopped.")
    await page.goto(f"{console.base}/console/tasks/{task}")
    assert await page.evaluate("window.ran ?? 0") == 0
    assert [said for said in console.complaints if "Content Security Policy" in said] == []
    await context.close()


async def test_axe_finds_nothing_in_either_theme_on_either_width(console: Site) -> None:
    looked: list[str] = []
    count = 0
    context, page = await console.visitor(reduced_motion="reduce")
    await page.goto(console.claim)
    looked += await faults(page)
    await claim(page, console.claim)
    await invite(page, console.base, "Kari Nordmann", "rep")
    looked += await faults(page)
    await page.goto(f"{console.base}/console/users")
    user = await page.get_attribute("tbody tr:nth-child(2) a", "href")
    assert user is not None
    person, task = await somebody(console)
    ones = (user.partition("console/")[2], f"people/{person}", f"tasks/{task}")
    _, stranger = await console.visitor(reduced_motion="reduce")
    for who, pages in ((page, (*INSIDE, *ones)), (stranger, DOORS)):
        for path in pages:
            for theme in ("light", "dark"):
                for width in (390, 1280):
                    await who.emulate_media(color_scheme="dark" if theme == "dark" else "light")
                    await who.set_viewport_size({"width": width, "height": 844})
                    await who.goto(f"{console.base}/console/{path}")
                    looked += await faults(who)
                    sideways = await who.evaluate(
                        "document.documentElement.scrollWidth - innerWidth"
                    )
                    assert sideways <= 0, f"{path} at {width} is {sideways} px too wide"
                    count += 1
    await context.close()
    assert looked == []
    assert count == 4 * (len(INSIDE) + len(ones) + len(DOORS))
    assert [said for said in console.complaints if "Content Security Policy" in said] == []


async def test_a_page_loads_nothing_from_elsewhere_and_no_script_but_ours(console: Site) -> None:
    context, page = await console.visitor()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await claim(page, console.claim)
    for path in INSIDE:
        await page.goto(f"{console.base}/console/{path}")
    assert all(address.startswith(console.base) for address in asked)
    assert await page.evaluate("htmx.version") == "2.0.11"
    ran = await page.evaluate(
        "() => { const s = document.createElement('script'); s.textContent = 'window.ran = 1';"
        " document.body.append(s); return window.ran ?? 0; }"
    )
    assert ran == 0
    await context.close()


async def test_without_a_mouse_from_the_claim_to_signing_out(console: Site) -> None:
    context, page = await console.visitor()
    await page.goto(console.claim)
    for words in ("Ingrid Solheim", "ingrid@office.example", PASSWORD):
        await page.keyboard.type(words)
        await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/console/today")
    assert await page.locator(".toast").inner_text() == "This instance is yours. Welcome."
    await page.reload()
    await page.keyboard.press("Tab")
    focused = "document.activeElement.textContent.trim()"
    assert await page.evaluate(focused) == "Skip to content"
    await page.keyboard.press("Enter")
    assert page.url.endswith("#content")
    await page.goto(f"{console.base}/console/today")
    for _ in range(12):
        await page.keyboard.press("Tab")
        if await page.evaluate(focused) == "Sign out":
            break
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/console/sign-in")
    await page.goto(f"{console.base}/console/today")
    assert "/console/sign-in" in page.url
    await context.close()


async def test_the_second_factor_and_a_dialog(console: Site) -> None:
    context, page = await console.visitor()
    await claim(page, console.claim)
    await page.goto(f"{console.base}/console/account/second-factor")
    spelled = await page.inner_text(".secret")
    secret = base64.b32decode(spelled.replace(" ", ""))
    async with transaction(console.engine) as conn:
        now = await real_now(conn)
    await page.fill("#code", totp.code_at(secret, int(now.timestamp()) // totp.STEP))
    await page.click("main form button.main")
    await page.wait_for_selector(".codes")
    codes = await page.locator(".codes code").all_inner_texts()
    await page.click("text=I have kept them")
    await page.click("button[popovertarget=turn-off]")
    assert await page.evaluate("document.activeElement.id") == "proof"
    await page.keyboard.press("Escape")
    assert not await page.is_visible("#turn-off")

    _, other = await console.visitor()
    await other.goto(f"{console.base}/console/account")
    await other.fill("#email", "ingrid@bilagbro.example")
    await other.fill("#password", PASSWORD)
    await other.keyboard.press("Enter")
    await other.wait_for_url("**/console/code**")
    await other.fill("#code", codes[3])
    await other.keyboard.press("Enter")
    await other.wait_for_url("**/console/account")

    # Ended over there without loading this page anew, by htmx.
    await page.reload()
    await page.evaluate("window.same = true")
    await page.click("#sessions form button")
    await expect(page.locator("#sessions li")).to_have_count(1)
    assert await page.evaluate("window.same")
    await other.reload()
    assert "/console/sign-in" in other.url
    await context.close()


async def test_hostile_names_are_text(console: Site) -> None:
    hostile = '"><img src=x onerror="window.ran=1"><script>window.ran=1</script>'
    context, page = await console.visitor()
    await claim(page, console.claim)
    await page.goto(f"{console.base}/console/account")
    await page.fill("#name", hostile)
    await page.click("form[action$='console/account'] button.main")
    await page.wait_for_selector(".toast")
    for path in INSIDE:
        await page.goto(f"{console.base}/console/{path}")
        assert await page.evaluate("window.ran ?? 0") == 0, path
    await page.goto(f"{console.base}/console/users")
    assert hostile in await page.inner_text("tbody")
    assert [said for said in console.complaints if "Content Security Policy" in said] == []
    await context.close()


async def test_in_norwegian_no_english_word_is_left(console: Site) -> None:
    context = await console.browser.new_context(locale="nb-NO")
    page = await context.new_page()
    await claim(page, console.claim)
    for path in INSIDE:
        await page.goto(f"{console.base}/console/{path}")
        said = await page.inner_text("main")
        assert await page.get_attribute("html", "lang") == "nb"
        assert not re.search(r"\b(the|your|Save|Sign)\b", said), f"{path}: {said}"
    await context.close()
