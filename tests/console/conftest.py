"""An application with one user of each role, and browsers that are signed in."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine

from orchestrator import passwords
from orchestrator.api.app import create_app
from orchestrator.clock import database_now
from orchestrator.config import Settings
from orchestrator.db import transaction
from orchestrator.embedded import Embedded
from orchestrator.flows.add_user import add_user
from orchestrator.rules.access import ROLES
from tests.conftest import SECRET

PASSWORD = "en lang og god setning"
HERE = "https://avtale.example"
TOKEN = re.compile(r'name="form_token" value="([0-9a-f]{32})"')


@pytest.fixture
def settings(servers: Embedded, database_url: str, tmp_path: Path) -> Settings:
    """An installation behind https."""
    return Settings(
        database_url=database_url,
        redis_url=servers.endpoints.redis_url,
        secret_key=SECRET.decode(),
        data_dir=tmp_path,
        base_url=HERE,
        organisation="Bilag & Bro",
    )


@pytest.fixture
async def site(settings: Settings) -> AsyncIterator[FastAPI]:
    """The application, started."""
    made = create_app(settings)
    async with made.router.lifespan_context(made):
        yield made


class Browser(httpx.AsyncClient):
    """A browser: it keeps cookies, and says where its requests come from."""

    def __init__(self, site: FastAPI, at: str = HERE) -> None:
        super().__init__(
            transport=httpx.ASGITransport(site, raise_app_exceptions=False),
            base_url=at,
            headers={"accept-language": "en", "user-agent": "a browser of the tests"},
        )

    async def form_token(self, page: str = "/console/account") -> str:
        """What a form of `page` carries."""
        found = TOKEN.search((await self.get(page)).text)
        assert found is not None
        return found[1]

    async def send(  # type: ignore[override]  # a form, not a request
        self, request: httpx.Request, **values: object
    ) -> httpx.Response:
        if request.method == "POST":
            request.headers.setdefault("sec-fetch-site", "same-origin")
        return await super().send(request, **values)  # type: ignore[arg-type]

    async def sign_in(self, email: str, password: str = PASSWORD) -> httpx.Response:
        """Sign in with the form."""
        return await self.post("/console/sign-in", data={"email": email, "password": password})

    async def press(self, path: str, **fields: str) -> httpx.Response:
        """Send a form with the token of this session."""
        return await self.post(path, data={"form_token": await self.form_token(), **fields})


@pytest.fixture
async def users(site: FastAPI, engine: AsyncEngine) -> dict[str, UUID]:
    """A user for each role: admin@office.example ..."""
    hashed = await passwords.hashed(PASSWORD)
    async with transaction(engine) as conn:
        now = await database_now(conn)
        return {
            role: await add_user(
                conn,
                email=f"{role}@office.example",
                name=f"{role.title()} Nordmann",
                role=role,
                now=now,
                password_hash=hashed,
            )
            for role in ROLES
        }


async def signed_in(site: FastAPI, role: str) -> Browser:
    """The browser of the user with this role."""
    browser = Browser(site)
    answer = await browser.sign_in(f"{role}@office.example")
    assert answer.status_code == 303, answer.text
    return browser
