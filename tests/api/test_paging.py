"""Pages are stable while rows are added, and a cursor is ours or it is refused."""

from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from orchestrator.api.paging import from_cursor, to_cursor
from orchestrator.db import transaction
from orchestrator.errors import BadInput
from orchestrator.keys import Keys
from tests import make


async def _people(engine: AsyncEngine, keys: Keys, count: int) -> list[UUID]:
    async with transaction(engine) as conn:
        return [await make.prospect(conn, keys) for _ in range(count)]


async def test_every_row_once_while_rows_are_added(
    client: httpx.AsyncClient, engine: AsyncEngine, keys: Keys
) -> None:
    made = await _people(engine, keys, 25)
    seen: list[str] = []
    cursor: str | None = None
    while True:
        params = {"limit": "10"} | ({"cursor": cursor} if cursor else {})
        page = (await client.get("/api/prospects", params=params)).json()
        seen += [one["id"] for one in page["items"]]
        await _people(engine, keys, 3)
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == [str(one) for one in sorted(made, reverse=True)]


async def test_the_last_page_says_so(
    client: httpx.AsyncClient, engine: AsyncEngine, keys: Keys
) -> None:
    await _people(engine, keys, 4)
    assert (await client.get("/api/prospects?limit=4")).json()["next"] is None
    assert (await client.get("/api/prospects?limit=3")).json()["next"] is not None


@pytest.mark.parametrize("limit", ["0", "201", "-1", "many", "99999999999999999999"])
async def test_limits_have_a_limit(client: httpx.AsyncClient, limit: str) -> None:
    assert (await client.get(f"/api/messages?limit={limit}")).status_code == 422


def test_a_cursor_comes_back_as_it_went() -> None:
    row = uuid4()
    assert from_cursor(to_cursor(row)) == row


@pytest.mark.parametrize("cursor", ["x", "%%", "AA", "é", "A" * 23, str(uuid4()), "=" * 20])
def test_anything_else_is_refused(cursor: str) -> None:
    with pytest.raises(BadInput):
        from_cursor(cursor)
