"""The doors in front of FastAPI: the same answers, and whatever is unusual goes on."""

import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import StringIO
from typing import Any

import httpx
import pytest
import structlog
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from orchestrator import logs
from orchestrator import sightings as writer
from orchestrator.api.app import Api
from orchestrator.db import make_engine, transaction
from orchestrator.ids import uuid7
from orchestrator.keys import Keys
from orchestrator.rules.opens import Hit
from orchestrator.sightings import Seen, Sightings
from orchestrator.wiring import App

_OURS = {"x-request-id", "date"}


@asynccontextmanager
async def both(api: FastAPI) -> AsyncIterator[tuple[httpx.AsyncClient, httpx.AsyncClient]]:
    """A client that comes by the doors, and one that comes by FastAPI's routes."""
    assert isinstance(api, Api)
    behind = httpx.ASGITransport(api.behind, raise_app_exceptions=False)
    front = httpx.ASGITransport(api, raise_app_exceptions=False)
    async with (
        httpx.AsyncClient(transport=front, base_url="http://test") as by_door,
        httpx.AsyncClient(transport=behind, base_url="http://test") as by_route,
    ):
        yield by_door, by_route


def _shown(answer: httpx.Response) -> Any:
    headers = {name: one for name, one in answer.headers.items() if name not in _OURS}
    return answer.status_code, headers, answer.content


@pytest.mark.parametrize(
    ("method", "path", "headers", "body"),
    [
        ("GET", "/o/{open}.gif", {}, b""),
        ("HEAD", "/o/{open}.gif", {}, b""),
        ("GET", "/o/nothing.gif", {}, b""),
        ("POST", "/o/{open}.gif", {}, b""),
        ("GET", "/o/{open}", {}, b""),
        ("GET", "/o/{open}.gif/", {}, b""),
        ("GET", "/c/{click}", {}, b""),
        ("GET", "/c/nothing", {"accept-language": "nb"}, b""),
        ("DELETE", "/c/nothing", {}, b""),
        ("GET", "/c/", {}, b""),
        ("POST", "/hooks/nobody/kari", {}, b"{}"),
        ("POST", "/hooks/resend/nobody", {}, b"{}"),
        ("GET", "/hooks/resend/nobody", {}, b""),
        ("POST", "/hooks/resend", {}, b"{}"),
        ("POST", "/hooks/resend/nobody/more", {}, b"{}"),
        ("POST", "/hooks/resend/nobody", {"content-length": "99999999"}, b"{}"),
        ("GET", "/o/{open}.gif", {"content-length": "99999999"}, b"{}"),
    ],
)
async def test_a_door_answers_as_the_route_behind_it(
    api: FastAPI, keys: Keys, method: str, path: str, headers: dict[str, str], body: bytes
) -> None:
    tokens = {"open": keys.token("open", uuid7()), "click": keys.token("click", uuid7())}
    async with both(api) as (by_door, by_route):
        given: dict[str, Any] = {"headers": headers, "content": body}
        one = await by_door.request(method, path.format(**tokens), **given)
        other = await by_route.request(method, path.format(**tokens), **given)
        assert _shown(one) == _shown(other)
        assert one.headers["x-request-id"]


async def test_a_request_is_counted_once_and_keeps_its_id(api: FastAPI) -> None:
    async with both(api) as (by_door, _):
        headers = {"x-request-id": "a-given-id-1"}
        answer = await by_door.get("/o/nothing.gif", headers=headers)
        assert answer.headers["x-request-id"] == "a-given-id-1"
        told = (await by_door.get("/metrics")).text
    line = 'avtale_http_seconds_count{method="GET",route="/o/{token}.gif",status="200"} 1.0'
    assert line in told


async def test_a_database_that_is_away_shows_a_page_for_links(api: FastAPI, keys: Keys) -> None:
    opened: App = api.state.avtale
    real, opened.engine = opened.engine, make_engine("postgresql://nobody@127.0.0.1:1/nothing")
    try:
        async with both(api) as (by_door, _):
            answer = await by_door.get(f"/c/{keys.token('click', uuid7())}")
            assert answer.status_code == 503
            assert answer.headers["content-type"].startswith("text/html")
            assert answer.headers["retry-after"] == "60"
            pixel = await by_door.get(f"/o/{keys.token('open', uuid7())}.gif")
            assert pixel.status_code == 200
            await api.state.sightings.flush()
    finally:
        await opened.engine.dispose()
        opened.engine = real


async def test_what_waits_is_bounded(
    app: App, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "MOST_WAITING", 3)
    seen = Sightings(app)
    for _ in range(5):
        subject = uuid7()
        seen.note(Seen("open", subject, subject, Hit("GET", "Mozilla"), "192.0.2.1"))
    assert seen.dropped == 2
    await seen.flush()
    assert seen.dropped == 0  # told in the log, and forgotten
    async with transaction(engine) as conn:  # of messages that nobody has sent
        assert await conn.scalar(text("select count(*) from provider_events")) == 0


def test_the_line_of_a_request_is_the_one_that_the_chain_makes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = StringIO()
    monkeypatch.setattr("sys.stderr", said)
    try:
        logs.configure()
        values: dict[str, Any] = {"method": "GET", "route": "/x/{y}", "status": 200, "ms": 1.5}
        assert logs.access_line(**values, request_id="abc")
        structlog.get_logger("avtale.access").info("http", **values, request_id="abc")
        fast, chain = (json.loads(line) for line in said.getvalue().splitlines())
        assert list(fast) == list(chain)
        assert fast | {"timestamp": ""} == chain | {"timestamp": ""}
        logging.getLogger().setLevel("WARNING")
        assert logs.access_line(**values, request_id="abc")
        assert len(said.getvalue().splitlines()) == 2
    finally:
        monkeypatch.undo()
        logs.configure(level="DEBUG", as_json=False)
