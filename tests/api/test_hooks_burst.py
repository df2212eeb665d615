"""500 Slack events at the same moment, through a real server: each stored once, all answered."""

import asyncio
import hashlib
import hmac
import json
import os
import socket
import sys
import time
from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from orchestrator.db import transaction
from orchestrator.embedded import Embedded
from orchestrator.keys import Keys
from orchestrator.models.engagement import provider_events
from tests.api.hook_world import add_sender
from tests.conftest import SECRET
from tests.flows.coming import all_of

SIGNING = "8f742231b10e8888abcd99yyyzzz85a5"
AT_ONCE = 500
SLACKS_PATIENCE = 3.0  # seconds, its contract


@pytest.fixture
async def port(
    servers: Embedded, database_url: str, engine: AsyncEngine, keys: Keys
) -> AsyncIterator[int]:
    """A server of its own process with one Slack app."""
    settings = {"workspace": "T0001", "reach": "workspace"}
    secrets = {"bot_token": "xoxb-of-the-tests", "signing_secret": SIGNING}
    async with transaction(engine) as conn:
        await add_sender(conn, keys, "app", channel="slack", settings=settings, secrets=secrets)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = int(probe.getsockname()[1])
    environment = {
        "AVTALE_DATABASE_URL": database_url,
        "AVTALE_REDIS_URL": servers.endpoints.redis_url,
        "AVTALE_SECRET_KEY": SECRET.decode(),
        "AVTALE_LOG_LEVEL": "WARNING",
    }
    command = [sys.executable, "-m", "uvicorn", "orchestrator.api.app:create_app", "--factory"]
    command += ["--port", str(free), "--log-level", "warning", "--backlog", "2048"]
    child = await asyncio.create_subprocess_exec(*command, env=os.environ | environment)
    try:
        await _until_up(free, child)
        yield free
    finally:
        child.terminate()
        try:
            await asyncio.wait_for(child.wait(), 60)
        except TimeoutError:
            child.kill()
            await child.wait()
            raise


async def _until_up(port: int, child: asyncio.subprocess.Process) -> None:
    for _ in range(900):
        assert child.returncode is None
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.1)
            continue
        writer.close()
        return
    raise AssertionError("the server did not come up")


def delivery(number: int) -> bytes:
    """One message of a person, as Slack's Events API wraps it, signed now."""
    event = {
        "type": "message",
        "channel": "D0001",
        "channel_type": "im",
        "user": f"U{number:04d}",
        "text": f"Yes, tell me more ({number})",
        "ts": f"1795510000.{number:06d}",
    }
    outer = {"type": "event_callback", "team_id": "T0001", "event_id": f"Ev{number:08d}"}
    body = json.dumps(outer | {"event": event, "event_time": 1795510000}).encode()
    stamp = str(int(time.time()))
    base = f"v0:{stamp}:".encode() + body
    signature = "v0=" + hmac.digest(SIGNING.encode(), base, hashlib.sha256).hex()
    head = (
        "POST /hooks/slack/app HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"X-Slack-Request-Timestamp: {stamp}\r\nX-Slack-Signature: {signature}\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body


async def post(port: int, request: bytes) -> tuple[int, float]:
    """(status, seconds from before the connection until the whole answer)."""
    started = time.perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    answer = await reader.read()
    writer.close()
    return int(answer.split(b" ", 2)[1]), time.perf_counter() - started


async def test_500_events_at_once_are_stored_once_and_answered(
    port: int, engine: AsyncEngine
) -> None:
    requests = [delivery(number) for number in range(AT_ONCE)]
    answers = await asyncio.gather(*(post(port, one) for one in requests))
    assert {status for status, _ in answers} == {200}
    taken = sorted(seconds for _, seconds in answers)
    slowest, middle = taken[-1], taken[len(taken) // 2]
    print(
        f"\n{AT_ONCE} Slack events at once: slowest answer {slowest:.3f} s, median {middle:.3f} s"
    )
    # Slack asks again after what it takes for a failure: nothing is stored twice.
    again = await asyncio.gather(*(post(port, one) for one in requests))
    assert {status for status, _ in again} == {200}
    async with transaction(engine) as conn:
        rows = await all_of(conn, provider_events)
    assert sorted(row["external_id"] for row in rows) == [f"Ev{n:08d}" for n in range(AT_ONCE)]
    assert {row["kind"] for row in rows} == {"message"}
    assert slowest < SLACKS_PATIENCE
