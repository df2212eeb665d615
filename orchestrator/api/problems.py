"""Every error as a problem document (RFC 9457): one shape, one place."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from sqlalchemy.exc import DataError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from orchestrator.errors import AvtaleError, Unavailable

log = structlog.get_logger()

MEDIA_TYPE = "application/problem+json"
_UNAVAILABLE = "The database does not answer now; nothing was changed. Try again."
_SLUGS = {
    400: "bad-request",
    401: "unauthorized",
    403: "forbidden",
    404: "not-found",
    405: "method-not-allowed",
    408: "too-slow",
    409: "conflict",
    413: "too-large",
    415: "unsupported-media-type",
    422: "bad-input",
}
# SQLSTATE classes and states that say "not now" (PostgreSQL, appendix A): connection trouble, too
# many connections, shutting down, serialization failure, deadlock, lock and statement timeouts.
_NOT_NOW = ("08", "53", "57", "40", "55P03", "25P03")


class FieldFault(BaseModel):
    """One thing that is wrong with a request."""

    where: list[str | int] = Field(description="the path to the value: body, query or path first")
    message: str


class Problem(BaseModel):
    """A problem document (RFC 9457). `type` tells problems apart, `detail` says what to do."""

    type: str = Field(examples=["/docs#problem-not-found"])
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["there is no such prospect"])
    errors: list[FieldFault] | None = Field(None, description="of a request that is not understood")


def problem(
    status: int,
    detail: str,
    *,
    slug: str | None = None,
    headers: dict[str, str] | None = None,
    **extra: Any,
) -> JSONResponse:
    """A problem document as a response."""
    document = {
        "type": f"/docs#problem-{slug or _SLUGS.get(status, 'internal')}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    return JSONResponse(
        {**extra, **document}, status_code=status, headers=headers, media_type=MEDIA_TYPE
    )


async def _expected(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, AvtaleError)
    headers = {"WWW-Authenticate": "Bearer"} if error.status_code == 401 else {}
    if error.status_code == 503:
        headers["Retry-After"] = "1"
    return problem(
        error.status_code, error.message, slug=error.slug, headers=headers, **_plain(error.extra)
    )


def _plain(extra: dict[str, object]) -> dict[str, Any]:
    known = (str, int, float, bool, list, dict, type(None))
    return {name: v if isinstance(v, known) else str(v) for name, v in extra.items()}


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    # The input itself is not echoed: it may hold a secret or a person's data.
    faults = [
        {"where": [_ascii(part) for part in fault["loc"]], "message": _ascii(str(fault["msg"]))}
        for fault in error.errors()[:50]
    ]
    first = faults[0] if faults else {"where": [], "message": "the request is not understood"}
    where = ".".join(str(part) for part in first["where"])
    return problem(422, f"{where}: {first['message']}", errors=faults)


def _ascii(part: Any) -> Any:
    """Names of extra fields come from the caller: a lone surrogate in one could not be encoded."""
    return part.encode("utf-8", "replace").decode() if isinstance(part, str) else part


async def _http(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    details = {404: "there is nothing at this address", 405: "this address takes other methods"}
    detail = str(error.detail)
    if detail == HTTPStatus(error.status_code).phrase:
        detail = details.get(error.status_code, detail)
    return problem(error.status_code, detail, headers=dict(error.headers or {}))


async def _database(request: Request, error: Exception) -> JSONResponse:
    state = str(getattr(getattr(error, "orig", None), "sqlstate", None) or "")
    if isinstance(error, DataError) or state.startswith("22"):
        # A value that no column can hold, such as U+0000 in a name.
        return problem(422, "a value in the request cannot be stored: check its characters")
    gone = isinstance(error, DBAPIError) and error.connection_invalidated
    if gone or isinstance(error, OperationalError | InterfaceError) or state.startswith(_NOT_NOW):
        return await _unavailable(request, error)
    raise error


async def _unavailable(request: Request, error: Exception) -> JSONResponse:
    log.warning("database.unavailable", error=type(error).__name__, method=request.method)
    return await _expected(request, Unavailable(_UNAVAILABLE))


async def _unexpected(_request: Request, error: Exception) -> JSONResponse:
    # The server logs the traceback; the caller learns only that it was not their fault.
    return problem(500, f"something broke here ({type(error).__name__}); it has been logged")


_Handler = Callable[[Request, Exception], Awaitable[JSONResponse]]
_HANDLERS: dict[type[Exception], _Handler] = {
    AvtaleError: _expected,
    RequestValidationError: _invalid,
    HTTPException: _http,
    DBAPIError: _database,
    PoolTimeout: _unavailable,
    OSError: _unavailable,
    TimeoutError: _unavailable,
}


def install(app: FastAPI) -> None:
    """Make every error of `app` a problem document."""
    for kind, handler in _HANDLERS.items():
        app.add_exception_handler(kind, handler)
    app.add_exception_handler(Exception, _unexpected)


async def answer(request: Request, error: Exception) -> JSONResponse:
    """The same for who stands in front of the application. Raises what nobody expected."""
    for kind in type(error).__mro__:
        if kind in _HANDLERS:
            return await _HANDLERS[kind](request, error)
    raise error


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """OpenAPI's description of the problems that a route answers."""
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in statuses
    }
