"""The two ways in which every resource is read: a page of it, and one of it."""

from typing import Any
from uuid import UUID

from sqlalchemy import Column, ColumnElement, Select

from orchestrator import acting
from orchestrator.api.paging import Wanted, cut
from orchestrator.db import transaction
from orchestrator.errors import Forbidden, NotFound
from orchestrator.store import listing, ownership
from orchestrator.wiring import App


async def read_page(
    app: App,
    query: Select[Any],
    key: ColumnElement[UUID],
    wanted: Wanted,
    *conditions: ColumnElement[bool],
) -> dict[str, Any]:
    """The items of a page and `next`, ready for a Page model. Whoever reaches only their own people
    sees what is about those."""
    conditions = (*conditions, *own_only(key))
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


def own_only(key: ColumnElement[UUID]) -> list[ColumnElement[bool]]:
    """The condition that `acting.only_own()` puts on the table of `key`. Raises Forbidden where the
    table is about nobody: nothing of it is anybody's own."""
    owner = acting.only_own()
    if owner is None:
        return []
    assert isinstance(key, Column)
    condition = ownership.belongs_to(key.table, owner)
    if condition is None:
        raise Forbidden("this is about everybody, and you reach only your own people")
    return [condition]
