"""Lists of networks: which there are, and their ranges."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import RowMapping, delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.ids import uuid7
from orchestrator.models.networks import network_lists

_SHOWN = network_lists.c["name", "revision", "kind", "source", "size", "fetched_at"]


async def shown(conn: AsyncConnection) -> Sequence[RowMapping]:
    """Every list without its ranges, by name."""
    rows = await conn.execute(select(*_SHOWN).order_by(network_lists.c.name))
    return rows.mappings().all()


async def revisions(conn: AsyncConnection) -> frozenset[UUID]:
    """What changes when any list does."""
    return frozenset((await conn.execute(select(network_lists.c.revision))).scalars())


async def ranges(conn: AsyncConnection) -> Sequence[RowMapping]:
    """Every list with its packed ranges."""
    rows = await conn.execute(select(*network_lists.c["name", "kind", "ranges", "revision"]))
    return rows.mappings().all()


async def save(
    conn: AsyncConnection,
    *,
    name: str,
    kind: str,
    source: str,
    ranges: bytes,
    size: int,
    now: datetime,
) -> None:
    """Put a list in the place of the one that had its name."""
    values = {"revision": uuid7(), "kind": kind, "source": source, "ranges": ranges}
    values |= {"size": size, "fetched_at": now}
    await conn.execute(
        insert(network_lists)
        .values(name=name, **values)
        .on_conflict_do_update(index_elements=["name"], set_=values)
    )


async def remove(conn: AsyncConnection, name: str) -> bool:
    """Forget a list. False when there is none of that name."""
    gone = await conn.execute(delete(network_lists).where(network_lists.c.name == name))
    return gone.rowcount == 1
