"""Cursor pagination: newest first, stable while rows are added.

Ids are UUIDv7, so that one column is both the instant of creation and the tie-breaker; every table
has the index already. A cursor is the last id of a page, spelt so that nobody reads it.
"""

import base64
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

from fastapi import Depends, Query
from pydantic import BaseModel, Field

from orchestrator.errors import BadInput

T = TypeVar("T")
MOST = 200


class Page(BaseModel, Generic[T]):
    """Some of the items, and how to ask for those that come after."""

    items: list[T]
    next: str | None = Field(description="the `cursor` of the next page; null on the last one")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which page: at most `limit` rows that are older than `after`."""

    after: UUID | None
    limit: int


def to_cursor(last: UUID) -> str:
    """The cursor behind the row `last`."""
    return base64.urlsafe_b64encode(b"\1" + last.bytes).decode().rstrip("=")


def from_cursor(cursor: str) -> UUID:
    """The row that `cursor` stands behind. Raises BadInput for anything that we did not make."""
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raw = b""
    if len(raw) != 17 or raw[0] != 1:
        raise BadInput("this cursor is not one of ours: send back `next` as it was")
    return UUID(bytes=raw[1:])


def _wanted(
    limit: Annotated[int, Query(ge=1, le=MOST, description="items on a page")] = 50,
    cursor: Annotated[
        str | None, Query(max_length=100, description="`next` of the page before")
    ] = None,
) -> Wanted:
    return Wanted(from_cursor(cursor) if cursor else None, limit)


Paging = Annotated[Wanted, Depends(_wanted)]


def cut(rows: list[dict[str, Any]], wanted: Wanted) -> tuple[list[dict[str, Any]], str | None]:
    """The page and the cursor of the next one, from one row more than was wanted."""
    page = rows[: wanted.limit]
    return page, to_cursor(page[-1]["id"]) if len(rows) > wanted.limit else None
