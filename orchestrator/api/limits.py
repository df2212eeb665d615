"""The largest body that each door takes, counted while it streams and not by what it claims."""

import json

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

KIB, MIB = 1024, 1024 * 1024
DEFAULT = MIB
# By the beginning of the path; the first that fits.
BY_PATH = (
    ("/api/prospects/import", 256 * MIB),
    ("/hooks/mail", 28 * MIB),
    ("/hooks/", MIB),
    ("/api/sequences", 2 * MIB),
    ("/api/", DEFAULT),
    ("/p/", 16 * KIB),
    ("/u/", 16 * KIB),
    ("/c/", 16 * KIB),
    ("/o/", 16 * KIB),
)


def cap_of(path: str) -> int:
    """The most bytes that a body at `path` may have."""
    return next((cap for prefix, cap in BY_PATH if path.startswith(prefix)), DEFAULT)


class BodyLimit:
    """ASGI middleware: 413 for a body beyond the cap, before it is read when it says its length."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, counting."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        cap = cap_of(scope["path"])
        if _claimed(scope) > cap:
            await _refuse(send, cap)
            return
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > cap:
                raise HTTPException(413, _words(cap), {"Connection": "close"})
            return message

        await self.app(scope, counted, send)


def _claimed(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value[:18])
    return 0


def _words(cap: int) -> str:
    return f"the body is too large: this address takes at most {cap // KIB} KiB"


async def _refuse(send: Send, cap: int) -> None:
    document = {
        "type": "/docs#problem-too-large",
        "title": "Content Too Large",
        "status": 413,
        "detail": _words(cap),
    }
    body = json.dumps(document).encode()
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": body})
