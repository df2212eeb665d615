"""Take pictures of every page: `python -m tests.pages.screenshots OUT_DIR`.

Starts embedded servers and a small uvicorn on a free port with the people of `sample`, and writes
each page in desktop (1280) and phone (390) widths, light and dark.
"""

import asyncio
import shutil
import socket
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn
from playwright.async_api import Browser, async_playwright
from sqlalchemy.ext.asyncio import AsyncEngine

from orchestrator import migrate
from orchestrator.clock import database_now
from orchestrator.db import make_engine, transaction
from orchestrator.embedded import Embedded
from orchestrator.flows.book import book
from orchestrator.flows.list_slots import list_slots
from orchestrator.flows.view_page import view_page
from orchestrator.keys import Keys
from tests.conftest import SECRET
from tests.pages import sample

WIDTHS = {"desktop": (1280, 900), "phone": (390, 844)}
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]


async def people(engine: AsyncEngine, keys: Keys) -> dict[str, sample.Someone]:
    """One person at each point of the road."""
    made: dict[str, sample.Someone] = {}
    async with transaction(engine) as conn:
        world = await sample.build(conn)
        for name in ("open", "unlocked", "booked", "resting", "never", "taken"):
            made[name] = await sample.someone(conn, keys, world)
        made["english"] = await sample.someone(
            conn, keys, world, language="en", country="US", zone=None, first_name="Grace"
        )
        for name in ("unlocked", "booked", "taken", "english"):
            await sample.interested(conn, keys, made[name])
        now = await database_now(conn)
        seen = await view_page(conn, enrollment_id=made["booked"].enrollment, now=now)
        assert seen.call is not None
        slots = await list_slots(
            conn, host_id=seen.call.host_id, minutes=seen.call.minutes, now=now
        )
        await book(
            conn,
            keys,
            unlock_id=seen.call.unlock_id,
            start=slots[3],
            now=now,
            note="Kan vi ta det på Teams?",
        )
    return made


@asynccontextmanager
async def served(engine: AsyncEngine, keys: Keys) -> AsyncIterator[str]:
    """The pages on a free port of the loopback."""
    app = sample.application(engine, keys)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
    listening = socket.create_server(("127.0.0.1", 0))
    task = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
        await app.state.avtale.redis.aclose()


async def pictures(browser: Browser, base: str, who: dict[str, sample.Someone], out: Path) -> None:
    """Every page, width and scheme."""
    views = {
        "person": who["open"].page,
        "person-unlocked": who["unlocked"].page,
        "person-booked": who["booked"].page,
        "times": f"{who['unlocked'].page}/times",
        "times-english": f"{who['english'].page}/times",
        "locked": f"{who['open'].page}/times",
        "booked": f"{who['booked'].page}/booked",
        "move": f"{who['booked'].page}/move",
        "cancel": f"{who['booked'].page}/cancel",
        "unsubscribe": f"/u/{who['open'].tokens['unsubscribe']}",
        "link": f"/c/{who['open'].tokens['click']}",
        "hidden": f"/t/{who['open'].tokens['trap']}",
        "not-found": "/p/" + "x" * 43,
    }
    for width, (wide, high) in WIDTHS.items():
        for scheme in ("light", "dark"):
            context = await browser.new_context(
                viewport={"width": wide, "height": high},
                color_scheme="dark" if scheme == "dark" else "light",
                java_script_enabled=False,
                device_scale_factor=2 if width == "phone" else 1,
            )
            page = await context.new_page()
            for name, path in views.items():
                await page.goto(base + path)
                await page.screenshot(path=out / f"{name}-{width}-{scheme}.png", full_page=True)
            await context.close()
    await _after_presses(browser, base, who, out)


async def _after_presses(
    browser: Browser, base: str, who: dict[str, sample.Someone], out: Path
) -> None:
    """What the buttons lead to, on a phone."""
    context = await browser.new_context(
        viewport={"width": 390, "height": 844}, java_script_enabled=False, device_scale_factor=2
    )
    page = await context.new_page()

    async def taken(name: str) -> None:
        await page.screenshot(path=out / f"{name}-phone-light.png", full_page=True)

    await page.goto(base + who["resting"].page)
    await page.locator("button[value=quarter]").click()
    await taken("resting")
    await page.goto(base + who["resting"].page)
    await page.fill("input[name=date]", "2020-01-01")
    await page.locator("form:has(input[name=date]) button").click()
    await taken("bad-date")
    await page.goto(base + who["never"].page)
    await page.locator("details.never summary").click()
    await taken("never-asked")
    await page.locator("details.never button").click()
    await taken("never")
    await page.goto(base + f"{who['taken'].page}/times")
    await page.locator("input[name=start]").nth(2).check()
    await taken("chosen")
    await page.locator(".bar button").click()
    await taken("just-booked")
    await context.close()


async def take(out: Path, database_url: str) -> None:
    """All pictures into `out`."""
    engine, keys = make_engine(database_url), Keys(SECRET)
    who = await people(engine, keys)
    async with async_playwright() as playwright, served(engine, keys) as base:
        browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        await pictures(browser, base, who, out)
        await browser.close()
    await engine.dispose()


def main() -> None:
    """Write the pictures into the directory that is named."""
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    home = Path(tempfile.mkdtemp(prefix="avtale-pictures-"))
    embedded = Embedded(home, postgres_options=("fsync=off",))
    try:
        embedded.start()
        asyncio.run(migrate.upgrade(embedded.endpoints.database_url))
        asyncio.run(take(out, embedded.endpoints.database_url))
    finally:
        embedded.stop()
        shutil.rmtree(home, ignore_errors=True)
    print(f"{len(list(out.glob('*.png')))} pictures in {out}")


if __name__ == "__main__":
    main()
