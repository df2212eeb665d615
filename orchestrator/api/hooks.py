"""`POST /hooks/{source}/{sender}`: what providers say, verified on its bytes, stored, then read.

The order is what makes it safe: body counted while it streams, sender looked up, signature checked,
only then parsed; committed before the answer, so that a provider that got a 2xx has been heard.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from hashlib import sha256
from urllib.parse import parse_qsl

import structlog
from fastapi import APIRouter, FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope

from channels.base import (
    Account,
    ChannelEvent,
    EventSource,
    Fetching,
    InboundRequest,
    Rejected,
    Verified,
)
from channels.registry import sources as registered
from orchestrator import stages
from orchestrator.api import problems
from orchestrator.api.hook_fetch import Fetcher
from orchestrator.api.hook_rows import rows_of
from orchestrator.arrivals import Arrivals
from orchestrator.clock import utc_now
from orchestrator.db import transaction
from orchestrator.errors import NotFound
from orchestrator.front import Door
from orchestrator.store import senders
from orchestrator.wiring import App

log = structlog.get_logger()

router = APIRouter(tags=["events"])

MOST = 1024 * 1024  # bytes of a body
MOST_EVENTS = 5000  # of one body; SendGrid's largest batch has some 3,000
BODY_SECONDS = 10.0
_TAKEN = Response(status_code=200)
_KEEP_SECONDS = 1.0  # an account: until a new secret, or a sender that is gone, is known here


class Hooks:
    """What the door keeps in one process: sources, the writer, look-ups on their way."""

    def __init__(self, app: App, sources: Iterable[EventSource] | None = None) -> None:
        self.app = app
        self.sources = {one.name: one for one in (registered() if sources is None else sources)}
        # Asked once: whether something keeps a protocol takes as long as checking a signature.
        self.fetching = {
            name: one for name, one in self.sources.items() if isinstance(one, Fetching)
        }
        self.arrivals = Arrivals(app)
        self.fetcher = Fetcher()
        self.once = Once()
        self._asked: dict[tuple[str, str], asyncio.Task[Account | None]] = {}
        self._known: dict[tuple[str, str], tuple[float, Account]] = {}

    async def account(self, channel: str, name: str) -> Account | None:
        """The sender's account, as it was a second ago at most. Requests that come while it is read
        share the answer."""
        key = (channel, name)
        known = self._known.get(key)
        if known is not None and time.monotonic() - known[0] < _KEEP_SECONDS:
            return known[1]
        task = self._asked.get(key)
        if task is None:
            task = self._asked[key] = asyncio.create_task(self._read(channel, name))
            task.add_done_callback(lambda _: self._asked.pop(key, None))
        return await asyncio.shield(task)

    async def _read(self, channel: str, name: str) -> Account | None:
        async with transaction(self.app.engine) as conn:
            try:
                row = await senders.by_name(conn, name)
            except NotFound:
                self._known.pop((channel, name), None)
                return None
        if row["channel"] != channel:
            return None
        found = senders.account_of(row, self.app.keys)
        self._known[channel, name] = (time.monotonic(), found)
        return found


class Once:
    """Signatures that do not cover the body, and the one body that each was taken for.

    Of this process and of late only: it makes a replay with other contents hard, and the trust of
    such a source (weak) is what makes it harmless.
    """

    def __init__(self, most: int = 20_000) -> None:
        self._bodies: OrderedDict[str, bytes] = OrderedDict()
        self._most = most

    def take(self, once: str, body: bytes) -> bool:
        """Whether `once` is new, or comes again with the body that it had."""
        digest = sha256(body).digest()
        if self._bodies.setdefault(once, digest) != digest:
            return False
        if len(self._bodies) > self._most:
            self._bodies.popitem(last=False)
        return True


def hooks_of(app: FastAPI) -> Hooks:
    """The parts of this process, made when the first request comes."""
    state = app.state
    if not hasattr(state, "hooks"):
        state.hooks = Hooks(state.avtale)
    made: Hooks = state.hooks
    return made


@router.post(
    "/hooks/{source}/{sender_name}",
    operation_id="take_provider_events",
    response_class=Response,
    responses={
        200: {"description": "Stored, or known already", "content": {}},
        **problems.responses(400, 401, 403, 404, 408, 413, 415, 422, 503),
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                kind: {"schema": {"type": "string", "format": "binary"}}
                for kind in ("application/json", "application/x-www-form-urlencoded")
            },
        }
    },
)
async def take_provider_events(request: Request, source: str, sender_name: str) -> Response:
    """Take the events of a provider, as it sends and signs them.

    200: committed, or known already, or the answer to the provider's handshake. 401 and 403: not
    the provider's, or not of now. 404: there is no such source, or no such sender on its channel.
    413: more than 1 MiB. 415: a compressed body. 503: not stored, send it again.
    """
    return await take(hooks_of(request.app), request.scope, request.receive, (source, sender_name))


async def take(hooks: Hooks, scope: Scope, receive: Receive, parts: Sequence[str]) -> Response:
    """The same, for the door in front of FastAPI (`api.front`)."""
    began = time.perf_counter()
    source, sender_name = parts
    door = hooks.sources.get(source)
    known = sender_name.isprintable() and len(sender_name) <= 80
    account = await hooks.account(door.channel, sender_name) if door and known else None
    if door is None or account is None:
        raise NotFound("There is no such source, or no sender of that name on its channel.")
    inbound = await _inbound(scope, receive)
    if fetching := hooks.fetching.get(source):
        inbound = await _with_fetched(hooks.fetcher, fetching, inbound, account)
    verdict = _verify(door, inbound, account)
    if isinstance(verdict, Rejected):
        log.info("hook.rejected", source=source, sender=str(account.id), reason=verdict.reason)
        return problems.problem(verdict.status, verdict.reason)
    if verdict.once and not hooks.once.take(f"{source}:{account.id}:{verdict.once}", inbound.body):
        return problems.problem(401, "This signature came with another body before.")
    if verdict.answer is not None:
        media_type, body = verdict.answer
        return Response(body, media_type=media_type)
    events = _parse(door, inbound, account)
    if len(events) > MOST_EVENTS:
        raise HTTPException(413, f"One body may hold {MOST_EVENTS} events at most.")
    if verdict.follow is not None:
        await hooks.fetcher.fetch(verdict.follow)
    await hooks.arrivals.store(rows_of(door, account, events, inbound.body))
    stages.observe("webhook", time.perf_counter() - began)
    return _TAKEN


def door(app: FastAPI) -> Door:
    """The door in front of FastAPI."""

    async def handle(scope: Scope, receive: Receive, parts: Sequence[str]) -> Response:
        return await take(hooks_of(app), scope, receive, parts)

    route = "/hooks/{source}/{sender_name}"
    methods = frozenset({"POST"})
    return Door("hooks", 2, "", methods, route, handle, problems.answer, largest=MOST)


async def _inbound(scope: Scope, receive: Receive) -> InboundRequest:
    """The request as it came. Raises 400, 408, 413 and 415."""
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    if headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise HTTPException(415, "Send the body as it was signed, without compression.")
    try:
        async with asyncio.timeout(BODY_SECONDS):
            body = await _body(receive)
    except TimeoutError:
        raise HTTPException(408, "The body did not arrive in time.") from None
    query = scope["query_string"]
    return InboundRequest(
        headers=headers,
        body=body,
        path=scope["path"],
        query=dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True)) if query else {},
    )


async def _body(receive: Receive) -> bytes:
    """The body, counted while it streams."""
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise HTTPException(400, "The body was cut off.")
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > MOST:
            raise HTTPException(413, "A body may have 1 MiB at most.", {"Connection": "close"})
        chunks.append(chunk)
        if not message.get("more_body"):
            return b"".join(chunks)


async def _with_fetched(
    fetcher: Fetcher, door: Fetching, inbound: InboundRequest, account: Account
) -> InboundRequest:
    found = {url: await fetcher.get(url) for url in door.wants(inbound, account)}
    return replace(inbound, fetched={url: one for url, one in found.items() if one is not None})


def _verify(door: EventSource, inbound: InboundRequest, account: Account) -> Verified | Rejected:
    """The source's verdict. A secret that is not there refuses, whatever the source thinks of it;
    so does a source that breaks its promise not to raise."""
    if any(not account.secrets.get(name) for name in door.secrets):
        return Rejected(401, f"This sender has no secret for {door.name}: nothing is accepted.")
    try:
        # A signature is of the provider's wall clock, which the sandbox's clock does not move.
        return door.verify(inbound, account, utc_now())
    except Exception:
        log.exception("hook.verify_broke", source=door.name)
        return Rejected(401, "The signature cannot be checked.")


def _parse(door: EventSource, inbound: InboundRequest, account: Account) -> list[ChannelEvent]:
    """The events; a body that its own source breaks on is kept as one that nobody understands."""
    try:
        return door.parse(inbound, account)
    except Exception:
        log.exception("hook.parse_broke", source=door.name)
        return [ChannelEvent("unknown", f"body:{sha256(inbound.body).hexdigest()}")]
