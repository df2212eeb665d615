"""Verify: recompute from the facts what the state must be, and report every difference.

Safe beside running workers: read-only transactions of one page each, short statements, no locks. A
difference is reported only if it is still there some seconds later, so that what is in flight
between two looks is none.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import RowMapping
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.db import transaction
from orchestrator.errors import BadInput, Unavailable
from orchestrator.flows.verify_rows import judge_rows
from orchestrator.ids import first_of
from orchestrator.rules.verify import CHECKS, TABLES, Difference
from orchestrator.rules.verify_guards import missing
from orchestrator.rules.verify_history import KINDS
from orchestrator.store import verify_messages, verify_pages, verify_people, verify_whole
from orchestrator.store.verify_pages import Key
from orchestrator.wiring import App

SQL = verify_messages.SQL | verify_people.SQL
PAGE = 1000
STATEMENT_SECONDS = 30.0
# What is younger than this may be between an outcome and its consequence (`ask_about_stranded`
# waits two minutes), or on its way through a busy reader.
IN_FLIGHT = timedelta(minutes=10)

Progress = Callable[[str, int, int], None]  # table, rows looked at, about how many there are


@dataclass(frozen=True, slots=True)
class Report:
    """What was looked at and what was found. `more`: by check, beyond those that are listed."""

    checked: dict[str, int]
    differences: list[Difference]
    more: dict[str, int]
    vanished: int  # seen once, and gone at the second look
    seconds: float

    @property
    def clean(self) -> bool:
        """Whether nothing was found."""
        return not self.differences


@dataclass(slots=True)
class _Look:
    """One run: what it looks for, and what it has seen."""

    app: App
    now: datetime
    names: Collection[str]
    most: int
    seen: dict[str, dict[str, Difference]] = field(default_factory=lambda: defaultdict(dict))
    more: Counter[str] = field(default_factory=Counter)

    def note(self, found: Difference) -> None:
        of_check = self.seen[found.check]
        if found.id in of_check:
            return
        if len(of_check) < self.most:
            of_check[found.id] = found
        else:
            self.more[found.check] += 1


async def verify(
    app: App,
    now: datetime,
    *,
    since: datetime | None = None,
    only: Sequence[str] = (),
    most: int = 100,
    settle_seconds: float = 5.0,
    progress: Progress = lambda *_: None,
) -> Report:
    """Look at everything, or at the rows made `since`; at most `most` differences a check.

    Raises BadInput for a check that there is not, Unavailable when the database does not answer in
    time: then nothing is known.
    """
    if unknown := set(only) - CHECKS.keys():
        wrong, known = ", ".join(sorted(unknown)), ", ".join(sorted(CHECKS))
        raise BadInput(f"There is no check {wrong}; there are {known}.")
    began = asyncio.get_running_loop().time()
    look = _Look(app, now, frozenset(only) or CHECKS.keys(), most)
    try:
        checked = {
            table: await _table(look, table, since, progress)
            for table in TABLES
            if any(CHECKS[name].of == table for name in look.names)
        }
        for found in await _whole(look):
            look.note(found)
        first = sum(len(of_check) for of_check in look.seen.values())
        still = await _again(look, settle_seconds) if first else []
    except (DBAPIError, OSError, TimeoutError) as error:
        cause = getattr(error, "orig", None) or error
        raise Unavailable(f"Verify could not look: {type(cause).__name__}: {cause}") from None
    return Report(
        checked=checked,
        differences=still,
        more=dict(look.more),
        vanished=first - len(still),
        seconds=round(asyncio.get_running_loop().time() - began, 3),
    )


async def _table(look: _Look, table: str, since: datetime | None, progress: Progress) -> int:
    after: Key = 0 if table == "history" else first_of(since) if since else UUID(int=0)
    done = 0
    async with transaction(look.app.engine) as conn:
        about = await verify_pages.size_of(conn, table)
    while True:
        async with transaction(look.app.engine) as conn:
            await verify_pages.begin(conn, seconds=STATEMENT_SECONDS)
            ids = await verify_pages.page(conn, table, after=after, size=PAGE)
            if not ids:
                return done
            for found in await _page(look, conn, table, ids, look.names):
                look.note(found)
        after = ids[-1]
        done += len(ids)
        progress(table, done, about)


async def _page(
    look: _Look, conn: AsyncConnection, table: str, ids: Sequence[Key], names: Collection[str]
) -> list[Difference]:
    wanted = [name for name in names if CHECKS[name].of == table]
    found: list[Difference] = []
    for name in wanted:
        if name in SQL:
            rows = await verify_pages.ask(
                conn,
                SQL[name],
                ids,
                before=look.now - IN_FLIGHT,
                now=look.now,
                doubt_after=float(look.app.settings.doubt_after_seconds),
            )
            found.extend(_differences(name, table, rows))
    if any(name not in SQL for name in wanted):
        rows = await verify_pages.rows(conn, table, ids)
        lines = await verify_pages.lines(conn, ids, KINDS) if table == "messages" else ()
        judged = judge_rows(look.app.keys, table, rows, lines)
        found.extend(one for one in judged if one.check in names)
    return found


def _differences(name: str, table: str, rows: Sequence[RowMapping]) -> Iterator[Difference]:
    for row in rows:
        owner = str(row["prospect_id"]) if row["prospect_id"] else None
        yield Difference(name, table, str(row["id"]), owner, dict(row["found"]))


async def _whole(look: _Look) -> list[Difference]:
    found: list[Difference] = []
    async with transaction(look.app.engine) as conn:
        await verify_pages.begin(conn, seconds=STATEMENT_SECONDS)
        if "guards" in look.names:
            gone = missing(await verify_whole.guards(conn))
            found += [Difference("guards", "", name, None) for name in gone]
        if "numbering" in look.names:
            for row in await verify_whole.numbering(conn):
                values = {"highest": row["highest"], "given": row["given"]}
                found.append(Difference("numbering", "", row["name"], None, values))
    return found


async def _again(look: _Look, settle_seconds: float) -> list[Difference]:
    """Those differences that are still there: whatever moves has moved by now."""
    await asyncio.sleep(settle_seconds)
    still = await _whole(look) if any(not CHECKS[name].of for name in look.seen) else []
    for table in TABLES:
        names = [name for name in look.seen if CHECKS[name].of == table]
        ids = sorted({one for name in names for one in look.seen[name]})
        keys: list[Key] = [int(one) if table == "history" else UUID(one) for one in ids]
        for start in range(0, len(keys), PAGE):
            async with transaction(look.app.engine) as conn:
                await verify_pages.begin(conn, seconds=STATEMENT_SECONDS)
                rest = keys[start : start + PAGE]
                for found in await _page(look, conn, table, rest, names):
                    if found.id in look.seen[found.check]:
                        look.seen[found.check].pop(found.id)  # once, however many rows say it
                        still.append(found)
    return still
