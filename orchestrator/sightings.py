"""The writer of what is seen of messages and pages: many hits in one transaction.

The pixel and the redirect answer at once, and hits wait here for the commit that is on its way:
what was seen in the last moment before a kill (50 ms under load, less when idle) can be lost, and
so can what is seen while the database is away. An open tells little, a click may branch; neither
ever stops or opens anything. Replies, opt-outs and taps do not come by here.
"""

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import blake2b
from uuid import UUID

import structlog
from asyncpg import PostgresError
from sqlalchemy.exc import SQLAlchemyError

from orchestrator import stages
from orchestrator.clock import database_now
from orchestrator.db import transaction
from orchestrator.errors import AvtaleError
from orchestrator.keys import Keys
from orchestrator.rules import hits
from orchestrator.rules.networks import Lists, neighbourhood
from orchestrator.rules.opens import TOO_FAST, TOO_FAST_TO_CLICK, Hit, Kind
from orchestrator.store import sightings as store
from orchestrator.store.sightings import Sighting
from orchestrator.wiring import App

log = structlog.get_logger()

# Hits on one message that are kept: whoever holds a link could fill the table otherwise. The hidden
# link is heard for as long again, since what it tells is about the others.
MOST = 100
MOST_WAITING = 20_000  # in memory, some 20 MB; what comes beyond is dropped and counted
_BATCH = 500
# A hit that says of itself what an earlier one said is the same look, for so many seconds.
_SAME = {"open": 60, "trap": 60, "page_view": 60, "click": 10}


@dataclass(frozen=True, slots=True)
class Seen:
    """One hit as a door takes it. `subject`: the message of an open or a trap, the link of a click,
    the enrollment of a page_view; `about`: the message, or that enrollment. The address is only
    looked at: what is kept of it are the lists that know it, and a hash."""

    kind: Kind
    subject: UUID
    about: UUID
    hit: Hit
    address: str


class Sightings:
    """The one writer of a process."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._waiting: list[Seen] = []
        self._writer: asyncio.Task[None] | None = None
        self.dropped = 0

    def note(self, seen: Seen) -> None:
        """Returns at once; it is written with the next commit."""
        if len(self._waiting) >= MOST_WAITING:
            self.dropped += 1
            return
        self._waiting.append(seen)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_all())

    async def flush(self) -> None:
        """Return when everything that was noted is written or lost."""
        while self._writer is not None and not self._writer.done():
            await asyncio.wait({self._writer})

    async def _write_all(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:_BATCH], self._waiting[_BATCH:]
            began = time.perf_counter()
            try:
                await self._write(batch)
                stages.observe("seen", time.perf_counter() - began, len(batch))
            except (AvtaleError, SQLAlchemyError, PostgresError, OSError, TimeoutError) as error:
                log.warning("seen.lost", size=len(batch), error=type(error).__name__)
            if self.dropped:
                log.warning("seen.dropped", size=self.dropped)
                self.dropped = 0

    async def _write(self, batch: Sequence[Seen]) -> None:
        async with transaction(self._app.engine) as conn:
            now = await database_now(conn)
            lists = await self._app.networks.current(conn)
            made = [sighting(self._app.keys, one, lists, now) for one in batch]
            once = {one.external_id: one for one in reversed(made)}
            new = await store.add(conn, list(once.values()), now=now)
        if new:
            self._app.ring("seen")


def sighting(keys: Keys, seen: Seen, lists: Lists, now: datetime) -> Sighting:
    """The row of one hit: once for what it says of itself, for a while."""
    place = neighbourhood(seen.address)
    hit = replace(
        seen.hit,
        networks=lists.kinds(seen.address) if lists.by_name else frozenset(),
        fetcher=keys.fetcher(seen.about, place, seen.hit.user_agent),
    )
    raw = hits.encode(hit)
    kind = seen.kind
    said = blake2b(raw, digest_size=8).hexdigest()
    moment = int(now.timestamp()) // _SAME[kind]
    page = kind == "page_view"
    fast = TOO_FAST if kind == "open" else TOO_FAST_TO_CLICK
    subject = str(seen.subject)
    detail = {"enrollment": subject} if page else {"link": subject} if kind == "click" else {}
    return Sighting(
        source="page" if page else "track",
        external_id=f"{kind}:{subject}:{moment}:{said}",
        kind=kind,
        raw=raw,
        detail=json.dumps(detail),
        message_id=None if page else seen.about,
        enrollment_id=seen.subject if page else None,
        too_fast=0.0 if page else fast.total_seconds(),
        most=2 * MOST if kind == "trap" else MOST,
    )
