"""Where followed links lead: clicks that come while a query is on its way share the next one."""

import asyncio
from dataclasses import dataclass
from uuid import UUID

from orchestrator.rules.page_state import Choice, PageFacts, page_state
from orchestrator.store import pages
from orchestrator.wiring import App

_MOST = 500  # links of one query


@dataclass(frozen=True, slots=True)
class Lead:
    """A link, and whether a tap of this person could still do something."""

    url: str
    message_id: UUID
    may_tap: bool


class Leads:
    """The links of one process that are asked for now."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._asked: dict[UUID, asyncio.Future[Lead | None]] = {}
        self._reader: asyncio.Task[None] | None = None

    async def of(self, link_id: UUID) -> Lead | None:
        """Where a link leads; None when there is none. Raises what the database raises."""
        asked = self._asked.get(link_id)
        if asked is None:
            asked = self._asked[link_id] = asyncio.get_running_loop().create_future()
            if self._reader is None or self._reader.done():
                self._reader = asyncio.create_task(self._read_all())
        return await asyncio.shield(asked)

    async def _read_all(self) -> None:
        await asyncio.sleep(0)  # requests that are ready at the same moment go together
        while self._asked:
            batch = dict(list(self._asked.items())[:_MOST])
            for link_id in batch:
                del self._asked[link_id]
            try:
                found = await self._read(list(batch))
            except Exception as error:  # noqa: BLE001 - whoever waits is told
                for asked in batch.values():
                    if not asked.done():
                        asked.set_exception(error)
                        asked.exception()  # told, also where nobody waits any more
                continue
            for link_id, asked in batch.items():
                if not asked.done():
                    asked.set_result(found.get(link_id))

    async def _read(self, ids: list[UUID]) -> dict[UUID, Lead]:
        # One statement that only reads: begin and commit around it are a third of the whole.
        async with self._app.engine.connect() as conn:
            await conn.execution_options(isolation_level="AUTOCOMMIT")
            rows = await pages.leads(conn, ids)
        found = {}
        for row in rows:
            facts = PageFacts(
                state=row["state"],
                stop_reason=row["stop_reason"],
                answered_at=row["answered_at"],
                opted_out_at=row["opted_out_at"],
                not_before=row["not_before"],
                unclear=row["unclear"],
                unlocked=row["unlocked"],
                booking_end=row["booking_end"],
            )
            # What a tap would do, the gate knows; whether it could do anything, these facts do.
            may = page_state(facts, row["now"]).offers(Choice.MORE)
            found[row["id"]] = Lead(row["url"], row["message_id"], may)
        return found
