"""The writer of provider events: what arrives while a commit is on its way goes with the next one.

No timer, no delay when idle, one flush of the disk for many requests (DESIGN.md, section 5). A
request is answered only after the commit that holds its events.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog
from asyncpg import InterfaceError, PostgresError
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from orchestrator.clock import database_now
from orchestrator.db import transaction
from orchestrator.errors import BadInput, Unavailable
from orchestrator.flows.take_events import take_events
from orchestrator.store.arrivals import Arrival
from orchestrator.wiring import App

log = structlog.get_logger()

# What one transaction takes at most, so that a burst is not one statement of a gigabyte.
MOST_REQUESTS = 500
MOST_BYTES = 16 * 1024 * 1024
_AGAIN = "The database does not answer now; nothing was stored. Send it again."


@dataclass(slots=True)
class _Parcel:
    """The events of one request, and whoever waits for them."""

    events: Sequence[Arrival]
    size: int
    answer: asyncio.Future[None] = field(repr=False)


class Arrivals:
    """The one writer of a process. `store` may be awaited by any number of requests."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._waiting: list[_Parcel] = []
        self._writer: asyncio.Task[None] | None = None
        self.commits = 0

    async def store(self, events: Sequence[Arrival]) -> None:
        """Return when they are committed, all of them or none. Raises Unavailable when that is not
        known, and the provider must send them again; BadInput when they cannot be stored."""
        if not events:
            return
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        size = sum(len(one.raw) for one in events)
        self._waiting.append(_Parcel(events, size, answer))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_all())
        await answer

    async def _write_all(self) -> None:
        # One turn of the loop: requests that are ready at the same moment go together.
        await asyncio.sleep(0)
        while self._waiting:
            batch = self._take()
            try:
                await self._write(batch)
            except Exception:
                # The next batch has another writer's chance; the provider sends this one again.
                log.exception("arrivals.broke", size=len(batch))
            finally:
                for parcel in batch:
                    if not parcel.answer.done():
                        parcel.answer.set_exception(Unavailable(_AGAIN))

    def _take(self) -> list[_Parcel]:
        size = count = 0
        for parcel in self._waiting[:MOST_REQUESTS]:
            size += parcel.size
            if count and size > MOST_BYTES:
                break
            count += 1
        batch, self._waiting = self._waiting[:count], self._waiting[count:]
        return batch

    async def _write(self, batch: Sequence[_Parcel]) -> None:
        try:
            await self._commit(batch)
        except (SQLAlchemyError, PostgresError, InterfaceError, OSError, TimeoutError) as error:
            log.warning("arrivals.commit_failed", error=type(error).__name__, size=len(batch))
            if _is_of_a_row(error):
                await self._one_by_one(batch)
            return
        for parcel in batch:
            if not parcel.answer.done():
                parcel.answer.set_result(None)

    async def _commit(self, batch: Sequence[_Parcel]) -> None:
        async with transaction(self._app.engine) as conn:
            events = [one for parcel in batch for one in parcel.events]
            new = await take_events(conn, events, now=await database_now(conn))
        self.commits += 1
        if new:
            self._app.ring("read")

    async def _one_by_one(self, batch: Sequence[_Parcel]) -> None:
        """One request holds what cannot be stored: the others do not suffer from it."""
        for parcel in batch:
            if len(batch) > 1:
                await self._write([parcel])
            elif not parcel.answer.done():
                parcel.answer.set_exception(BadInput("The events in this body cannot be stored."))


def _is_of_a_row(error: BaseException) -> bool:
    """Whether a row is to blame (SQLSTATE classes 22, 23, 54: data, constraints, limits), as the
    driver says or SQLAlchemy after it."""
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return False
    state = str(getattr(getattr(error, "orig", error), "sqlstate", None) or "")
    return state.startswith(("22", "23", "54"))
