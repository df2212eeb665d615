"""A small provider of the Unipile shape (version 2) on loopback, for tests."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from channels.base import Account
from orchestrator.ids import uuid7

KEY = "canary-api-key"
HOOK = "canary-hook-secret"


def seat(port: int, **settings: Any) -> Account:
    """An automatic account at the provider, with short patience."""
    values: dict[str, Any] = {
        "mode": "automatic",
        "terms_accepted": True,
        "base_url": f"http://127.0.0.1:{port}/v2",
        "account_id": "acc_1",
        "connect_timeout": 0.4,
        "read_timeout": 0.4,
    }
    secrets = {"api_key": KEY, "webhook_secret": HOOK}
    return Account(uuid7(), "kari", "kari-nordmann", "Kari Nordmann", values | settings, secrets)


@dataclass
class Fault:
    """What happens to one request instead of an answer."""

    method: str
    part: str  # of the path
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    drop: bool = False
    hang: bool = False
    drip: bool = False  # an answer that comes byte by byte and does not end
    act: bool = False  # do it all the same, before


@dataclass
class FakeUnipile:
    """Keeps chats, invitations and relations. `seen`: every request, `written`: what it did."""

    port: int = 0
    seen: list[tuple[str, str, Any]] = field(default_factory=list)
    written: list[tuple[str, Any]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    profiles: dict[str, dict[str, Any]] = field(default_factory=dict)
    chats: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    requests: list[dict[str, Any]] = field(default_factory=list)
    relations: list[dict[str, Any]] = field(default_factory=list)
    missing: set[str] = field(default_factory=set)
    page: int = 100
    now: str = "2026-11-24T09:00:00Z"

    def fail(self, method: str, part: str, **values: Any) -> None:
        """The next request that fits meets this."""
        if isinstance(body := values.get("body"), dict):
            values["body"] = json.dumps(body).encode()
        self.faults.append(Fault(method, part, **values))

    def answer(self, method: str, path: list[str], query: dict[str, str], body: Any) -> Any:
        """(status, body) of a request that meets no fault."""
        match (method, path):
            case ("GET", ["acc_1", "users", "me", "relations"]):
                return 200, self._page(self.relations, query)
            case ("GET", ["acc_1", "users", "me", "relation-requests"]):
                return 200, self._page(self.requests, query)
            case ("POST", ["acc_1", "users", "me", "relation-requests"]):
                return self._invite(body)
            case ("POST", ["acc_1", "users", "me", "relation-requests", ref, "cancel"]):
                return self._cancel(ref)
            case ("GET", ["acc_1", "users", user, "chat"]):
                chat = f"chat-{user}"
                return (200, {"id": chat}) if chat in self.chats else _no(404, "not_found")
            case ("GET", ["acc_1", "users", who]):
                if who in self.missing:
                    return _no(404, "not_found")
                return 200, self.profiles.get(who, {"id": f"u-{who}", "public_identifier": who})
            case ("POST", ["acc_1", "chats", "send"]):
                return self._write(f"chat-{body['users_ids'][0]}", body["text"])
            case ("POST", ["chats", chat, "messages", "send"]):
                return self._write(chat, body["text"])
            case ("GET", ["chats", chat, "messages"]):
                return 200, self._page(self.chats.get(chat, [])[::-1], query)
        return _no(404, "no_such_route")

    def _page(self, found: list[dict[str, Any]], query: dict[str, str]) -> dict[str, Any]:
        start = int(query.get("offset", 0))
        part = found[start : start + self.page]
        return {"items": part, "total_items": len(found)}

    def _write(self, chat: str, text: str) -> Any:
        made = f"m-{len(self.written)}"
        self.written.append((chat, text))
        line = {"id": made, "chat_id": chat, "text": text, "is_sender": True, "timestamp": self.now}
        self.chats.setdefault(chat, []).append(line)
        return 201, {"chat_id": chat, "message_id": made}

    def _invite(self, body: Any) -> Any:
        made = f"req-{len(self.requests)}"
        self.written.append((body["user_id"], body.get("message")))
        self.requests.append({"id": made, "user_id": body["user_id"], "status": "pending"})
        return 201, {"request_id": made}

    def _cancel(self, ref: str) -> Any:
        left = [one for one in self.requests if one["id"] != ref]
        gone, self.requests = len(left) < len(self.requests), left
        return (200, {}) if gone else _no(404, "not_found")

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, request after request."""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while await self._one(reader, writer):
                pass
        writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        method, target, _ = head[0].split(" ")
        headers = {
            name.lower(): value.strip()
            for name, _, value in (one.partition(":") for one in head[1:] if one)
        }
        content = await reader.readexactly(int(headers.get("content-length", 0)))
        parts = urlsplit(target)
        body = json.loads(content) if content else None
        self.seen.append((method, target, body))
        path = [unquote(one) for one in parts.path.removeprefix("/v2/").split("/")]
        query = dict(parse_qsl(parts.query))
        if headers.get("x-api-key") != KEY:
            await _reply(writer, *_no(401, "missing_credentials"))
            return True
        fits = (one for one in self.faults if one.method == method and one.part in parts.path)
        fault = next(fits, None)
        if fault is None:
            await _reply(writer, *self.answer(method, path, query, body))
            return True
        self.faults.remove(fault)
        if fault.act:
            self.answer(method, path, query, body)
        if fault.hang:
            await asyncio.sleep(30)
        if fault.drip:
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
            for _ in range(600):
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.05)
        if fault.drop or fault.hang or fault.drip:
            return False
        await _reply(writer, fault.status, fault.body, fault.headers)
        return True


def _no(status: int, name: str) -> tuple[int, dict[str, Any]]:
    return status, {"status": status, "type": f"errors/{name}", "title": name}


async def _reply(
    writer: asyncio.StreamWriter, status: int, body: Any, headers: dict[str, str] | None = None
) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} X", f"content-length: {len(content)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + content)
    await writer.drain()


@asynccontextmanager
async def serving(server: FakeUnipile) -> AsyncIterator[FakeUnipile]:
    """`server` on a port of its own."""
    tasks: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await server.handle(reader, writer)
        except asyncio.CancelledError:
            pass
        finally:
            writer.close()
            tasks.discard(task)

    listening = await asyncio.start_server(handle, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
