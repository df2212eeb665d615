"""A gateway for text messages on loopback."""

import asyncio
import hmac
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from channels.base import Account
from orchestrator.ids import uuid7

KEY, HOOK = "key-of-the-tests", "secret-of-the-tests"


@dataclass
class Gateway:
    """Keeps what it gets. `once`: what happens to the next message, "drop" or "hang"."""

    port: int = 0
    taken: list[dict[str, Any]] = field(default_factory=list)
    once: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Requests of one connection, one after the other."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode().lower().split("\r\n")
                sizes = [line[15:] for line in lines if line.startswith("content-length:")]
                body = await reader.readexactly(int(sizes[0]) if sizes else 0)
                await self._answer(lines, body, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, lines: list[str], body: bytes, writer: asyncio.StreamWriter) -> None:
        fault, self.once = self.once, ""
        status, said = "202 Accepted", {"id": f"sms-{len(self.taken) + 1}"}
        if f"authorization: bearer {KEY}" not in lines:
            status, said = "401 Unauthorized", {"code": "key"}
        elif lines[0].startswith("post"):
            if fault == "drop":
                raise ConnectionResetError
            if fault == "hang":
                await asyncio.sleep(20)
            self._take(json.loads(body))
        else:
            status = "200 OK"
        made = json.dumps(said).encode()
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(made)}\r\n\r\n".encode() + made)
        await writer.drain()

    def _take(self, message: dict[str, Any]) -> None:
        """One message for one `reference`."""
        if message.get("reference") not in {one.get("reference") for one in self.taken}:
            self.taken.append(message)


@asynccontextmanager
async def serving(gateway: Gateway) -> AsyncIterator[Gateway]:
    """The gateway, listening on a port of its own."""
    server = await asyncio.start_server(gateway.serve, "127.0.0.1", 0)
    gateway.port = server.sockets[0].getsockname()[1]
    try:
        yield gateway
    finally:
        server.close()


def account(port: int, **settings: Any) -> Account:
    """An account at the gateway."""
    values = {"base_url": f"http://127.0.0.1:{port}"} | settings
    secrets = {"api_key": KEY, "webhook_secret": HOOK}
    return Account(uuid7(), "sms", "+4799999999", "Kari Nordmann", values, secrets)


def signed(event: dict[str, Any], secret: str = HOOK) -> tuple[bytes, dict[str, str]]:
    """What the gateway posts for `event`: (body, headers)."""
    body, at = json.dumps(event).encode(), str(int(time.time()))
    mark = hmac.new(secret.encode(), at.encode() + b"." + body, sha256).hexdigest()
    return body, {"x-sms-signature": f"t={at},v1={mark}", "content-type": "application/json"}
