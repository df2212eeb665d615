"""The sandbox's buttons, pressed in a real browser: its Origin and policies are nobody's guess."""

import asyncio
import shutil
import socket
from datetime import timedelta
from pathlib import Path

import pytest
import uvicorn
from playwright.async_api import async_playwright
from sqlalchemy.ext.asyncio import AsyncEngine

from orchestrator.api.app import create_app
from orchestrator.config import Settings
from orchestrator.db import transaction
from orchestrator.embedded import Embedded
from orchestrator.store import sandbox
from tests.conftest import SECRET

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]


async def test_a_button_of_the_sandbox_works(
    servers: Embedded, database_url: str, engine: AsyncEngine, tmp_path: Path
) -> None:
    settings = Settings(
        database_url=database_url,
        redis_url=servers.endpoints.redis_url,
        secret_key=SECRET.decode(),
        data_dir=tmp_path,
        sandbox=True,
    )
    server = uvicorn.Server(uvicorn.Config(create_app(settings), log_level="warning"))
    listening = socket.create_server(("127.0.0.1", 0))
    task = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        async with async_playwright() as driver:
            browser = await driver.chromium.launch(
                executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
            )
            page = await browser.new_page()
            await page.goto(f"http://127.0.0.1:{listening.getsockname()[1]}/sandbox")
            async with page.expect_navigation() as gone:
                await page.click("button[value=day]")
            answer = await gone.value
            assert answer is not None
            assert answer.status == 200
            await browser.close()
    finally:
        server.should_exit = True
        await task
    async with transaction(engine) as conn:
        assert await sandbox.ahead(conn) == timedelta(days=1)
