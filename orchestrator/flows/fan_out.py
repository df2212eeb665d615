"""Turn history into deliveries: one for each subscription and line that it asked for.

Ids of history are given out before the commit, so that a line can become visible after one with a
higher id. A mark that had passed it would lose it (L3). So the mark moves only as far as history is
settled: take the last id given out, then see who may still be writing, and wait until those have
ended. From then on every id up to it is visible or rolled back, for good. Nobody waits for us.
"""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.db import transaction
from orchestrator.ids import uuid7
from orchestrator.rules import outbound_events
from orchestrator.store import deliveries
from orchestrator.store import subscriptions as store
from orchestrator.wiring import App

_BATCH = 500
_LOOKS, _PAUSE = 10, 0.02  # most writers end within a few milliseconds


@dataclass
class Horizon:
    """How far one process knows history to be settled, or is waiting for it. It may be lost."""

    upto: int = 0
    writers: frozenset[str] = field(default_factory=frozenset)
    server: datetime | None = None  # when it started: the writers are its transactions


async def fan_out(app: App, now: datetime, horizon: Horizon) -> int:
    """Add the deliveries that settled history asks for. Returns how many were added.

    Any number of processes may run it: the row of a subscription is locked while it is served, and
    deliveries and mark are written in one transaction.
    """
    async with transaction(app.engine) as conn:
        last, _ = await store.newest_history(conn)
        if not await store.behind(conn, last):
            return 0
    upto = await _settled(app, horizon)
    if upto is None:
        return 0
    async with transaction(app.engine) as conn:
        behind = await store.behind(conn, upto)
    made = 0
    for subscription_id in behind:
        async with transaction(app.engine) as conn:
            made += await _serve(conn, subscription_id, upto, now)
    return made


async def _settled(app: App, horizon: Horizon) -> int | None:
    """An id up to which nothing can appear any more; None while somebody may still be writing."""
    for _ in range(_LOOKS):
        async with transaction(app.engine) as conn:
            last, server = await store.newest_history(conn)
            writers = await store.history_writers(conn)  # after `last`: whoever took an id shows
        if horizon.server != server or last < horizon.upto:
            horizon.upto, horizon.writers, horizon.server = last, writers, server
        else:
            horizon.writers &= writers
        if not horizon.writers:
            horizon.server = None  # the next round asks anew
            return horizon.upto
        await asyncio.sleep(_PAUSE)
    return None


async def _serve(conn: AsyncConnection, subscription_id: UUID, upto: int, now: datetime) -> int:
    row = await store.get(conn, subscription_id, lock=True)
    if row is None or not row["enabled"] or row["after_history"] >= upto:
        return 0
    kinds = outbound_events.history_kinds(row["kinds"])
    lines = await store.lines(conn, kinds, after=row["after_history"], upto=upto, limit=_BATCH)
    made = []
    for line in lines:
        kind, body = outbound_events.body(line)
        made.append(
            {
                "id": uuid7(),
                "subscription_id": subscription_id,
                "history_id": line["id"],
                "kind": kind,
                "body": body,
                "due_at": now,
                "created_at": now,
            }
        )
    added = await deliveries.add_many(conn, made)
    mark = lines[-1]["id"] if len(lines) == _BATCH else upto
    await store.change(conn, subscription_id, {"after_history": mark})
    return added
