"""The lists of networks as one process knows them: asked by address, refreshed while it runs."""

import time
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.rules.networks import NONE, Lists, Ranges, Unreadable
from orchestrator.store import networks as store

log = structlog.get_logger()

REFRESH_SECONDS = 60.0  # until an `avtale networks update` is known everywhere


class KnownNetworks:
    """The newest lists. Without any, every address is as good as another."""

    def __init__(self) -> None:
        self._lists = NONE
        self._revisions: frozenset[UUID] = frozenset()
        self._asked = float("-inf")

    async def current(self, conn: AsyncConnection) -> Lists:
        """The lists: at most a minute old, and loaded anew only when one of them has changed."""
        if time.monotonic() - self._asked < REFRESH_SECONDS:
            return self._lists
        self._asked = time.monotonic()
        newest = await store.revisions(conn)
        if newest != self._revisions:
            self._lists = await load(conn)
            self._revisions = newest
        return self._lists


async def load(conn: AsyncConnection) -> Lists:
    """Every list of the database, but for one that a newer version packed in another way."""
    found = {}
    for row in await store.ranges(conn):
        try:
            found[row["name"]] = (row["kind"], Ranges.unpack(bytes(row["ranges"])))
        except Unreadable as error:
            log.warning("networks.unreadable", name=row["name"], error=str(error))
    return Lists(found)
