"""Heartbeats: which workers live, and when a doorbell last came all the way through Redis."""

from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_BEAT = text("""
insert into heartbeats (worker, detail) values (:worker, cast(:detail as jsonb))
on conflict (worker) do update set beat_at = clock_timestamp(), detail = excluded.detail
""")


async def beat(conn: AsyncConnection, worker: str, detail: str) -> None:
    """This worker lives. `detail` is JSON of numbers."""
    await conn.execute(_BEAT, {"worker": worker, "detail": detail})


async def canary(conn: AsyncConnection, worker: str) -> None:
    """A doorbell came through Redis to this worker."""
    await conn.execute(
        text("update heartbeats set canary_at = clock_timestamp() where worker = :worker"),
        {"worker": worker},
    )


async def leave(conn: AsyncConnection, worker: str) -> None:
    """This worker ends in good order; rows of workers dead for a day go with it."""
    await conn.execute(
        text(
            "delete from heartbeats where worker = :worker"
            " or beat_at < clock_timestamp() - interval '1 day'"
        ),
        {"worker": worker},
    )


async def alive(conn: AsyncConnection, *, seconds: float) -> list[dict[str, Any]]:
    """Workers that beat within `seconds`."""
    rows = await conn.execute(
        text(
            "select worker, beat_at, canary_at, started_at, detail from heartbeats"
            " where beat_at > clock_timestamp() - make_interval(secs => :seconds)"
        ),
        {"seconds": seconds},
    )
    return [dict(row) for row in rows.mappings()]
