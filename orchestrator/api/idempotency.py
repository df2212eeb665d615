"""Idempotency-Key: a creating POST that is sent twice acts once and answers the same.

The answer is stored in the transaction of the effect: a crash loses both or neither. Nothing is
stored for a request that fails, so that it may be mended and sent again under its key.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from hashlib import sha256
from typing import Annotated
from uuid import UUID

from fastapi import Header, Request, Response
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.api.parts import Caller, the_app
from orchestrator.clock import database_now
from orchestrator.db import transaction
from orchestrator.errors import BadInput, Conflict
from orchestrator.store import idempotency as store

Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        pattern=r"^[\x21-\x7e]+$",
        description="Any text of your own. The same key with the same request acts once.",
    ),
]
Work = Callable[[AsyncConnection, datetime], Awaitable[BaseModel]]


async def fingerprint(request: Request) -> bytes:
    """What makes two requests the same: method, address with query, and body."""
    head = f"{request.method} {request.url.path}?{request.url.query}\n".encode()
    return sha256(head + await request.body()).digest()


async def create(
    request: Request, caller: Caller, key: str | None, work: Work, *, status: int = 201
) -> Response:
    """Do `work` in one transaction and answer `status` with what it returns.

    With a `key` that has been answered, the stored answer is sent again (`Idempotency-Replayed`).
    Raises BadInput when the key came with another request, Conflict while the first one runs.
    """
    app = the_app(request)
    async with transaction(app.engine) as conn:
        if key is None:
            made = await work(conn, await database_now(conn))
            return _answer(status, made.model_dump_json().encode())
        mark = await fingerprint(request)
        if (stored := await _begin(conn, caller.id, key, mark)) is not None:
            return stored
        now = await database_now(conn)
        body = (await work(conn, now)).model_dump_json().encode()
        await store.keep(
            conn, api_key_id=caller.id, key=key, request_hash=mark, status=status, body=body
        )
    return _answer(status, body)


async def repeatable(
    request: Request, caller: Caller, key: str | None, work: Callable[[], Awaitable[BaseModel]]
) -> Response:
    """The same for `work` that takes several transactions and may be done twice without harm.

    Its answer is stored when it is done; where it is lost before, doing it again changes nothing.
    """
    app = the_app(request)
    mark = await fingerprint(request)
    if key is not None:
        async with transaction(app.engine) as conn:
            if (stored := await _begin(conn, caller.id, key, mark)) is not None:
                return stored
    body = (await work()).model_dump_json().encode()
    if key is not None:
        async with transaction(app.engine) as conn:
            if (stored := await _begin(conn, caller.id, key, mark)) is not None:
                return stored
            await store.keep(
                conn, api_key_id=caller.id, key=key, request_hash=mark, status=200, body=body
            )
    return _answer(200, body)


async def _begin(conn: AsyncConnection, owner: UUID, key: str, mark: bytes) -> Response | None:
    if not await store.try_lock(conn, owner, key):
        raise Conflict("a request with this Idempotency-Key is running; wait for its answer")
    row = await store.find(conn, owner, key)
    if row is None:
        return None
    if row["request_hash"] != mark:
        raise BadInput("this Idempotency-Key was used for another request: take a new one")
    return _answer(row["status"], row["body"], replayed=True)


def _answer(status: int, body: bytes, *, replayed: bool = False) -> Response:
    headers = {"Idempotency-Replayed": "true"} if replayed else {}
    return Response(body, status, headers, media_type="application/json")
