"""One call to the operator's API in the sandbox: who calls, limits, faults, and the answer."""

import asyncio
import math
from collections.abc import Callable
from datetime import datetime
from typing import Any

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from orchestrator.sandbox.linkedin_server import Operator, operator_of
from orchestrator.sandbox.linkedin_world import NetworkError, Seat
from orchestrator.sandbox.provider_faults import Fault

_CALLS = (100, 60.0)  # of one operation and account, and seconds
_SENSITIVE = (60, 60.0)  # those that write
Answer = dict[str, Any]
Work = Callable[[Operator, Seat, datetime], Answer]


async def do(
    request: Request, operation: str, account: str | None, work: Work, status: int = 200
) -> Response:
    """One call: key, account, limit and fault, then the work."""
    operator = operator_of(request)
    try:
        key = request.headers.get("x-api-key") or request.headers.get("authorization", "")
        seat = _seat(operator, account, key.removeprefix("Bearer ").strip())
        fault = operator.faults.take(operation)
        if fault is not None and not fault.acts:
            return await _faulty(fault)
        limit = _CALLS if request.method == "GET" else _SENSITIVE
        wait = operator.limits.wait(f"{seat.id} {operation}", *limit)
        if wait > 0:
            return problem(429, "too_many_requests", "slow down", retry_after=math.ceil(wait))
        answer = work(operator, seat, await operator.now())
        operator.world.save()
    except NetworkError as error:
        return problem(error.status, error.kind, error.detail)
    if fault is not None:
        return await _faulty(fault)
    return JSONResponse(answer, status)


def _seat(operator: Operator, account: str | None, key: str) -> Seat:
    if account is None:
        seats = operator.world.state.seats.values()
        account = next((each.id for each in seats if each.api_key == key), "")
    return operator.world.seat(account, key)


async def _faulty(fault: Fault) -> Response:
    await asyncio.sleep(fault.seconds)
    status = fault.status if fault.status >= 400 else 500
    return problem(status, fault.error, "as it was asked for", retry_after=fault.retry_after)


def problem(status: int, kind: str, detail: str, *, retry_after: int | None = None) -> Response:
    document = {"type": f"errors/{kind}", "title": kind.replace("_", " "), "status": status}
    headers = {"retry-after": str(retry_after)} if retry_after is not None else {}
    return JSONResponse(document | {"detail": detail}, status, headers)


def page(request: Request, found: list[Answer], kind: str) -> Answer:
    """A list as `limit` and `offset` (or `cursor`) ask for it."""
    query = request.query_params
    try:
        limit = min(250, max(1, int(query.get("limit", "100"))))
        start = max(0, int(query.get("offset") or query.get("cursor") or 0))
    except ValueError:
        raise NetworkError(400, "invalid_parameters", "limit and offset are numbers") from None
    more = len(found) > start + limit
    shown = found[start : start + limit]
    cursor = str(start + limit) if more else None
    return {"object": kind, "data": shown, "items": shown, "cursor": cursor, "total": len(found)}
