"""The doors that take thousands of requests a second: in front of FastAPI, in the same process.

FastAPI's routing, dependencies and layers cost 150 us a request on the machine of
`docs/performance.md`, more than all that these doors do. They call the same functions as the routes
that document them, and whatever is unusual (another method, a body where there should be none, a
path with something behind it, a root path) goes on to FastAPI as if nothing stood in front of it.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

# (scope, receive, the parts of the path) -> the answer; None: FastAPI knows better. Raises what the
# routes raise.
Handle = Callable[[Scope, Receive, Sequence[str]], Awaitable[Response | None]]
OnError = Callable[[Request, Exception], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Door:
    """Paths of `parts` segments behind `/first/` that end in `end`, and how they are answered."""

    first: str
    parts: int
    end: str
    methods: frozenset[str]
    route: str  # the template, as the logs and metrics call it
    handle: Handle
    on_error: OnError  # raises what nobody expected
    largest: int = 0  # bytes of a body


class Note(Protocol):
    """Where an answered request is noted."""

    def note(self, method: str, route: str, status: int, seconds: float, request_id: str) -> None:
        """`route` is a template."""
        ...


class Front:
    """An ASGI application around another one."""

    def __init__(
        self, app: ASGIApp, doors: Sequence[Door], notes: Note, name: Callable[[Scope], str]
    ) -> None:
        self._app = app
        self._doors = {door.first: door for door in doors}
        self._notes = notes
        self._name = name  # the id of a request

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer at a door, or pass the request on."""
        if scope["type"] == "http":
            segments = scope["path"].split("/")
            door = self._doors.get(segments[1]) if len(segments) > 2 else None
            if (
                door is not None
                and _fits(door, scope, segments)
                and await self._answered(door, scope, receive, send, segments[2:])
            ):
                return
        await self._app(scope, receive, send)

    async def _answered(
        self, door: Door, scope: Scope, receive: Receive, send: Send, parts: Sequence[str]
    ) -> bool:
        started = time.perf_counter()
        status = 500
        request_id = self._name(scope)
        try:
            try:
                response = await door.handle(scope, receive, parts)
            except Exception as error:  # noqa: BLE001 - what nobody expected is raised again
                response = await door.on_error(Request(scope), error)
            if response is None:
                status = 0
                return False
            status = response.status_code
            headers = [*response.raw_headers, (b"x-request-id", request_id.encode()), *_ALWAYS]
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": response.body})
        finally:
            if status:
                seconds = time.perf_counter() - started
                self._notes.note(scope["method"], door.route, status, seconds, request_id)
        return True


_ALWAYS = ((b"x-content-type-options", b"nosniff"),)


def _fits(door: Door, scope: Scope, segments: Sequence[str]) -> bool:
    return (
        scope["method"] in door.methods
        and len(segments) == 2 + door.parts
        and segments[-1].endswith(door.end)
        and "" not in segments[2:]
        and not scope.get("root_path")
        and _length(scope, door.largest) <= door.largest
    )


def _length(scope: Scope, largest: int) -> int:
    """How long the body is by its own word; `largest` where it does not say, and at least 1."""
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value[:18]) if value.isdigit() else largest + 1
        if name == b"transfer-encoding":
            return max(1, largest)
    return 0
