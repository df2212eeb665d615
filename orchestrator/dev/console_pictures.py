"""Pictures of the console's pages: each in light and dark, on a desktop and on a phone."""

from pathlib import Path

from playwright.async_api import Browser, Page

WIDTHS = {"desktop": (1280, 860), "phone": (390, 844)}
PASSWORD = "a sentence for pictures only"  # noqa: S105 - of an instance that lives for a minute
PAGES = {
    "today": "today",
    "people": "people",
    "tasks": "tasks",
    "users": "users",
    "audit": "audit",
    "account": "account",
    "second-factor": "account/second-factor",
}
DOORS = {"sign-in": "sign-in", "forgot": "forgot", "not-found": "claim/nothing"}


async def claim(page: Page, link: str) -> None:
    """Make the first account, and be signed in."""
    await page.goto(link)
    await page.fill("#name", "Ingrid Solheim")
    await page.fill("#email", "ingrid@bilagbro.example")
    await page.fill("#password", PASSWORD)
    await page.click("button.main")
    await page.wait_for_url("**/console/today")


async def invite(page: Page, base_url: str, name: str, role: str) -> None:
    """Another user, so that the list is one."""
    await page.goto(f"{base_url}/console/users")
    await page.fill("#name", name)
    await page.fill("#email", f"{name.split()[0].lower()}@bilagbro.example")
    await page.check(f"input[value={role}]")
    await page.click("form[action$='console/users'] button.main")
    await page.wait_for_selector("#link")


async def take(browser: Browser, base_url: str, link: str, out: Path) -> None:
    """Claim the instance by `link`, and write `console-PAGE-WIDTH[-dark].png` of every page."""
    context = await browser.new_context(locale="en-GB", reduced_motion="reduce")
    page = await context.new_page()
    await _shoot(page, link, out, "claim")
    await claim(page, link)
    for name, role in (("Ola Hansen", "ops"), ("Kari Nordmann", "rep"), ("Per Lund", "viewer")):
        await invite(page, base_url, name, role)
    for name, path in PAGES.items():
        await _shoot(page, f"{base_url}/console/{path}", out, name)
    await page.goto(f"{base_url}/console/users")
    await page.click("tbody tr:nth-child(2) a")
    await _shoot(page, page.url, out, "user")
    for name in ("people", "tasks"):
        await page.goto(f"{base_url}/console/{name}")
        first = page.locator("tbody th a").first
        if await first.count():
            await first.click()
            await page.wait_for_url(f"**/console/{name}/*")
            await _shoot(page, page.url, out, "person" if name == "people" else "task")
    await context.close()
    context = await browser.new_context(locale="nb-NO", reduced_motion="reduce")
    page = await context.new_page()
    for name, path in DOORS.items():
        await _shoot(page, f"{base_url}/console/{path}", out, name)
    await context.close()


async def _shoot(page: Page, address: str, out: Path, name: str) -> None:
    for kind, (width, height) in WIDTHS.items():
        for theme in ("light", "dark"):
            await page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
            await page.set_viewport_size({"width": width, "height": height})
            await page.goto(address)
            tail = "-dark" if theme == "dark" else ""
            whole = kind == "phone"
            await page.screenshot(path=out / f"console-{name}-{kind}{tail}.png", full_page=whole)
