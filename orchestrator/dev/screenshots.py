"""Pictures of the pages, on a desktop and on a phone, from a demo that plays itself.

`make screenshots` writes them to var/screenshots. Needs a Chromium (Debian's, or AVTALE_CHROMIUM).
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path
from urllib.parse import quote

from playwright.async_api import Browser, async_playwright

from orchestrator import house
from orchestrator.config import Settings
from orchestrator.dev import console_pictures
from orchestrator.sandbox import world
from orchestrator.sandbox.commands import Commands
from orchestrator.sandbox.demo import demo_settings, free_port
from orchestrator.sandbox.mailbox import Mailbox
from orchestrator.sandbox.post_office import folder
from orchestrator.sandbox.prospect import Prospect
from orchestrator.sandbox.rehearsal import YES, Rehearsal
from orchestrator.sandbox.rehearsal_channels import HERE, MEMBER, ChannelStages

WIDTHS = {"desktop": (1280, 860), "phone": (390, 844)}
OUT = Path("var/screenshots")
# The flags that keep a Chromium from calling home.
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)


async def _picture(browser: Browser, name: str, address: str) -> None:
    for kind, (width, height) in WIDTHS.items():
        page = await browser.new_page(
            viewport={"width": width, "height": height},
            device_scale_factor=2 if kind == "phone" else 1,
        )
        await page.goto(address)
        await page.screenshot(path=OUT / f"{name}-{kind}.png", full_page=kind == "phone")
        await page.close()


async def _play_and_take(settings: Settings) -> int:
    avtale = Commands(house.environment(settings))
    smtp = await world.smtp_address(settings)
    prospect = Prospect(base_url=settings.base_url, smtp_host=smtp[0], smtp_port=smtp[1])
    played = Rehearsal(settings, avtale, prospect, lambda line: None)
    await world.add_accounts(avtale, smtp)
    async with world.door(avtale, settings) as api_door:
        await world.add_channels(api_door)
    async with async_playwright() as tools:
        browser = await tools.chromium.launch(
            executable_path=os.environ.get("AVTALE_CHROMIUM") or shutil.which("chromium"),
            args=list(_FLAGS),
        )
        before = (played.import_people, played.publish, played.enroll, played.send)
        for stage in (*before, played.open, played.click):
            await stage()
        mail = Mailbox(folder(settings)).of(YES)[0]
        page = next(link for link in mail.links if "/p/" in link)
        at = f"{settings.base_url}/sandbox"
        await _picture(browser, "inbox", at)
        await _picture(browser, "mail", f"{at}/mail/{mail.name}")
        await _picture(browser, "person", page)
        await _picture(browser, "locked", f"{page}/times")
        for stage in (played.reply, played.stop, played.unlock):
            await stage()
        await _picture(browser, "times", f"{page}/times")
        for stage in (played.book, played.invite):
            await stage()
        await _picture(browser, "booked", f"{page}/booked")
        channels = ChannelStages(played)
        for beyond_email in (channels.slack, channels.slack_connect, channels.network):
            await beyond_email()
        await _picture(browser, "slack", f"{at}/slack?person={quote(HERE)}")
        await _picture(browser, "network", f"{at}/network?member={quote(MEMBER)}")
        await _picture(browser, "live", f"{at}/live")
        await _picture(browser, "answers", f"{at}?person={quote(YES)}")
        await _picture(browser, "api", f"{settings.base_url}/docs")
        link = (await avtale("users", "claim")).stdout.strip()
        await console_pictures.take(browser, settings.base_url, link, OUT)
        await browser.close()
    return 0


def main() -> int:
    """Play, and write the pictures."""
    OUT.mkdir(parents=True, exist_ok=True)
    home = Path(tempfile.mkdtemp(prefix="avtale-pictures-"))
    try:
        settings = demo_settings(home, free_port(0))
        code = house.run(settings, lambda name, line: None, _play_and_take, fast=True)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    sys.stderr.write(f"{len(list(OUT.glob('*.png')))} pictures in {OUT}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
