"""A small Slack: the Web API methods of the channel, doing wrong on purpose, and a ledger."""

import asyncio
import hashlib
import json
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from channels.base import Account
from orchestrator.ids import uuid7

TOKEN = "xoxb-of-the-tests"
SECRETS = {"bot_token": TOKEN, "signing_secret": "signing-secret-of-the-tests"}
WORKSPACE = "T0OURS"


@dataclass(frozen=True)
class Fault:
    """What a call gets instead. `acts`: Slack does it all the same, and then fails to say so."""

    error: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)
    body: str | None = None  # instead of JSON
    kind: str = "application/json"
    drop: bool = False
    hang: bool = False
    acts: bool = False


@dataclass
class FakeSlack:
    """`faults` has, by method, what the next calls get; None among them is no fault."""

    faults: dict[str, deque[Fault | None]] = field(default_factory=lambda: defaultdict(deque))
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    posts: list[dict[str, Any]] = field(default_factory=list)
    channels: list[dict[str, Any]] = field(default_factory=list)
    invites: list[dict[str, Any]] = field(default_factory=list)
    users: dict[str, dict[str, Any]] = field(default_factory=dict)  # by email, instead of anybody
    scopes: str = ""
    page: int = 1000
    port: int = 0
    waiting: int = 0
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    over: asyncio.Event = field(default_factory=asyncio.Event)  # ends what hangs

    def fail(self, method: str, **fault: Any) -> None:
        """The next call of `method` gets this."""
        self.faults[method].append(Fault(**fault))

    @property
    def patience(self) -> float:
        """Seconds that a client should wait: few where it will wait in vain."""
        queued = (fault for waiting in self.faults.values() for fault in waiting)
        return 1.0 if any(fault is not None and fault.hang for fault in queued) else 10

    async def hanging(self, number: int) -> None:
        """Until so many calls are waiting for ever."""
        async with self.changed:
            await self.changed.wait_for(lambda: self.waiting >= number)

    def called(self, method: str) -> list[dict[str, Any]]:
        """The arguments of every call of `method`."""
        return [arguments for name, arguments in self.calls if name == method]

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """One call."""
        method = request.match_info["method"]
        if request.content_type == "application/json":
            arguments = await request.json()
        else:
            arguments = dict(await request.post())
        self.calls.append((method, arguments))
        waiting = self.faults[method]
        fault = waiting.popleft() if waiting else None
        if request.method != "POST" or request.headers.get("Authorization") != f"Bearer {TOKEN}":
            fault = Fault("invalid_auth")
        if fault is not None and not fault.acts:
            return await _faulty(self, request, fault)
        handler: Callable[[dict[str, Any]], dict[str, Any]] = getattr(
            self, "on_" + method.replace(".", "_")
        )
        answer = handler(arguments)
        if fault is not None:
            return await _faulty(self, request, fault)
        return web.json_response({"ok": True} | answer, headers={"X-OAuth-Scopes": self.scopes})

    def on_auth_test(self, arguments: dict[str, Any]) -> dict[str, Any]:
        return {"team_id": WORKSPACE, "user_id": "U0BOT", "bot_id": "B0BOT"}

    def on_users_lookupByEmail(self, arguments: dict[str, Any]) -> dict[str, Any]:
        email = arguments["email"]
        if self.users:
            return {"user": self.users[email]} if email in self.users else _no("users_not_found")
        return {"user": {"id": _id("U", email), "team_id": WORKSPACE, "deleted": False}}

    def on_conversations_open(self, arguments: dict[str, Any]) -> dict[str, Any]:
        return {"channel": {"id": _id("D", arguments["users"])}}

    def on_chat_postMessage(self, arguments: dict[str, Any]) -> dict[str, Any]:
        ts = f"{1_790_000_000 + len(self.posts)}.000100"
        self.posts.append(arguments | {"ts": ts})
        return {"channel": arguments["channel"], "ts": ts, "message": {}}

    def on_conversations_history(self, arguments: dict[str, Any]) -> dict[str, Any]:
        here = [post for post in self.posts[::-1] if post["channel"] == arguments["channel"]]
        return self._paged("messages", here, arguments)

    def on_conversations_create(self, arguments: dict[str, Any]) -> dict[str, Any]:
        if any(channel["name"] == arguments["name"] for channel in self.channels):
            return _no("name_taken")
        made = {"id": _id("C", arguments["name"]), "name": arguments["name"], "is_archived": False}
        self.channels.append(made | {"is_private": arguments["is_private"]})
        return {"channel": made}

    def on_conversations_list(self, arguments: dict[str, Any]) -> dict[str, Any]:
        return self._paged("channels", self.channels, arguments)

    def on_conversations_inviteShared(self, arguments: dict[str, Any]) -> dict[str, Any]:
        made = _id("I", json.dumps(arguments))
        channel = next(one for one in self.channels if one["id"] == arguments["channel"])
        self.invites.append(
            {
                "direction": "outgoing",
                "status": "sent",
                "date_last_updated": 1_790_000_000,
                "invite": {"id": made, "recipient_email": arguments.get("emails")},
                "channel": {"id": channel["id"], "name": channel["name"]},
                "acceptances": [],
            }
        )
        return {"invite_id": made, "url": "https://join.slack.com/share/x"}

    def on_conversations_listConnectInvites(self, arguments: dict[str, Any]) -> dict[str, Any]:
        return self._paged("invites", self.invites, arguments)

    def on_conversations_archive(self, arguments: dict[str, Any]) -> dict[str, Any]:
        found = [one for one in self.channels if one["id"] == arguments["channel"]]
        found[0]["is_archived"] = True
        return {}

    def _paged(self, name: str, found: list[Any], arguments: dict[str, Any]) -> dict[str, Any]:
        start = int(arguments.get("cursor", 0))
        end = start + self.page
        cursor = str(end) if end < len(found) else ""
        return {
            name: found[start:end],
            "has_more": bool(cursor),
            "response_metadata": {"next_cursor": cursor},
        }


def _id(letter: str, *words: str) -> str:
    return letter + hashlib.sha256("\0".join(words).encode()).hexdigest()[:10].upper()


def _no(error: str) -> dict[str, Any]:
    return {"ok": False, "error": error}


async def _faulty(slack: FakeSlack, request: web.Request, fault: Fault) -> web.StreamResponse:
    if fault.hang:
        async with slack.changed:
            slack.waiting += 1
            slack.changed.notify_all()
        await slack.over.wait()
    if fault.drop:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()
    if fault.body is not None:
        return web.Response(
            text=fault.body, status=fault.status, headers=fault.headers, content_type=fault.kind
        )
    return web.json_response(
        _no(fault.error) | fault.more, status=fault.status, headers=fault.headers
    )


@asynccontextmanager
async def serving(slack: FakeSlack) -> AsyncIterator[FakeSlack]:
    """`slack` on a port of loopback."""
    made = web.Application()
    made.router.add_route("*", "/api/{method}", slack.serve)
    runner = web.AppRunner(made, access_log=None, shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    slack.port = runner.addresses[0][1]
    try:
        yield slack
    finally:
        slack.over.set()
        await runner.cleanup()


def slack_account(port: int, **settings: Any) -> Account:
    """An installation of the app at a fake Slack."""
    values = {
        "workspace": WORKSPACE,
        "base_url": f"http://127.0.0.1:{port}/api/",
        "timeout": 10,
    }
    return Account(
        uuid7(), "kari-slack", f"{WORKSPACE}:U0BOT", "Kari Nordmann", values | settings, SECRETS
    )
