"""The two ways in which every resource is read: a page of it, and one of it."""

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select

from orchestrator.api.paging import Wanted, cut
from orchestrator.db import transaction
from orchestrator.errors import NotFound
from orchestrator.store import listing
from orchestrator.wiring import App


async def read_page(
    app: App,
    query: Select[Any],
    key: ColumnElement[UUID],
    wanted: Wanted,
    *conditions: ColumnElement[bool],
) -> dict[str, Any]:
    """The items of a page and `next`, ready for a Page model."""
    async with transaction(app.engine) as conn:
        rows = await listing.page(
            conn, query, key, *conditions, after=wanted.after, limit=wanted.limit
        )
    items, after = cut(rows, wanted)
    return {"items": items, "next": after}


async def read_one(
    app: App, query: Select[Any], condition: ColumnElement[bool], what: str
) -> dict[str, Any]:
    """The one row. Raises NotFound in the words `there is no such <what>`."""
    async with transaction(app.engine) as conn:
        row = await listing.one(conn, query, condition)
    if row is None:
        raise NotFound(f"there is no such {what}")
    return row
