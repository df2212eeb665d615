"""Import a file of people: batch by batch, each committed before it is reported (L3)."""

import asyncio
import gc
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

from asyncpg.exceptions import UniqueViolationError
from sqlalchemy.exc import IntegrityError

from orchestrator.db import transaction
from orchestrator.errors import Unavailable
from orchestrator.flows.add_people import add_people
from orchestrator.flows.adding import Added, save_companies, settle
from orchestrator.flows.adding_rows import write
from orchestrator.ids import uuid7
from orchestrator.people_file import BATCH, Batch, PeopleFile
from orchestrator.rules.import_rows import Reject
from orchestrator.rules.import_split import People
from orchestrator.store.people_import import lock_imports
from orchestrator.wiring import App

_ATTEMPTS = 5  # of a batch whose addresses another door keeps taking
_DIVIDED = 1_000  # rows from which on a batch is worth two connections
_PARTS = 2
_THRESHOLDS = gc.get_threshold()


@dataclass(slots=True)
class ImportReport:
    """Counts of what is committed. Rows: taken + rejected + opted_out; prospects: created, updated,
    and unchanged, which are rows that said nothing new."""

    import_id: UUID
    columns: dict[str, str] = field(default_factory=dict)  # their column -> field
    taken: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    repeated: int = 0
    facts: int = 0
    rejected: int = 0
    opted_out: int = 0
    notices: list[str] = field(default_factory=list)
    dry_run: bool = False

    def count(self, batch: Batch, added: Added) -> None:
        """Add a batch that was committed."""
        self.taken += added.taken
        self.created += len(added.created)
        self.updated += len(added.updated)
        self.repeated += added.repeated
        self.unchanged += added.taken - added.repeated - len(added.created) - len(added.updated)
        self.facts += added.facts
        self.rejected += len(batch.rejects)
        self.opted_out += len(added.opted_out)


Progress = Callable[[ImportReport, int, int], None]  # report so far, bytes done, bytes in all
OnHeader = Callable[[tuple[str, ...]], None]
OnReject = Callable[[Reject], None]


def _nothing(*_: object) -> None:
    """For callbacks that nobody gave."""


async def import_prospects(
    app: App,
    source: Path | AsyncIterator[bytes],
    *,
    now: datetime,
    overrides: Mapping[str, str] | None = None,
    dry_run: bool = False,
    progress: Progress = _nothing,
    on_header: OnHeader = _nothing,
    on_reject: OnReject = _nothing,
    batch_size: int = BATCH,
) -> ImportReport:
    """Import a CSV file; `overrides` is "their column" -> field.

    Callbacks are called after the batch's commit, rejects in the order of their lines. Stopped
    anywhere and started again, it ends with the people of one clean run. A dry run rolls each batch
    back, so it counts an address that returns in a later batch twice. Raises BadInput.
    """
    if not isinstance(source, Path):
        with tempfile.NamedTemporaryFile(prefix="avtale-import-") as spool:
            await _spool(source, spool)  # type: ignore[arg-type]  # the wrapper is a BinaryIO
            return await import_prospects(
                app, Path(spool.name), now=now, overrides=overrides, dry_run=dry_run,
                progress=progress, on_header=on_header, on_reject=on_reject, batch_size=batch_size,
            )  # fmt: skip
    report = ImportReport(uuid7(), dry_run=dry_run)
    with _few_collections(), await asyncio.to_thread(PeopleFile, source, overrides or {}) as file:
        report.notices = list(file.notices)
        report.columns = {
            theirs: ours or "ignore"
            for theirs, ours in zip(file.columns.header, file.columns.fields, strict=True)
        }
        on_header(file.columns.header)
        async for batch in _read_ahead(file, app, batch_size):
            added = await _commit(app, batch, now, report)
            report.count(batch, added)
            for reject in sorted((*batch.rejects, *added.opted_out), key=lambda one: one.line):
                on_reject(reject)
            progress(report, batch.position, file.size)
    return report


@contextmanager
def _few_collections() -> Iterator[None]:
    """Look for cyclic garbage once in a batch or two, not for every 700 objects: the rows in hand
    hold no cycles, and looking at them again and again took a fifth of the time."""
    gc.set_threshold(100_000, *_THRESHOLDS[1:])
    try:
        yield
    finally:
        gc.set_threshold(*_THRESHOLDS)


async def _spool(source: AsyncIterator[bytes], file: BinaryIO) -> None:
    async for chunk in source:
        await asyncio.to_thread(file.write, chunk)
    await asyncio.to_thread(file.flush)


async def _read_ahead(file: PeopleFile, app: App, size: int) -> AsyncIterator[Batch]:
    """The batches, each parsed in a thread while the database writes the one before."""
    # Email has a short way of its own that says the same (rules/addresses.py).
    canonical = {
        name: channel.canonical for name, channel in app.channels.items() if name != "email"
    }
    batches = file.batches(canonical, size)
    ahead = asyncio.create_task(asyncio.to_thread(_next, batches))
    try:
        while (batch := await ahead) is not None:
            ahead = asyncio.create_task(asyncio.to_thread(_next, batches))
            yield batch
    finally:
        await asyncio.wait([ahead])  # the thread must be done with the file before it is closed


def _next(batches: Iterator[Batch]) -> Batch | None:
    return next(batches, None)


class _Rehearsed(Exception):
    """Ends the transaction of a dry run."""


async def _commit(app: App, batch: Batch, now: datetime, report: ImportReport) -> Added:
    """Add the rows of a batch, again when an address was taken meanwhile."""
    if not batch.table.lines and not batch.odd:
        return Added()
    kept = Added()  # of parts that were committed before another one failed
    for attempt in range(_ATTEMPTS):
        # The first batch goes alone, so that an audit log has one line of the whole import.
        parts = report.taken > 0 and len(batch.table.lines) >= _DIVIDED and attempt == 0
        try:
            if parts and not report.dry_run:
                return await _in_parts(app, batch, now, report.import_id, kept)
            added = await _at_once(app, batch, now, report)
        except (UniqueViolationError, IntegrityError):
            continue
        added.created += kept.created
        added.updated += kept.updated
        added.facts += kept.facts
        return added
    raise Unavailable("Other work keeps taking the same addresses; start the import again.")


async def _at_once(app: App, batch: Batch, now: datetime, report: ImportReport) -> Added:
    """The batch in one transaction, which a dry run takes back."""
    added = Added()
    with suppress(_Rehearsed):
        async with transaction(app.engine) as conn:
            added = await add_people(
                conn, app.keys, batch.odd, now=now, table=batch.table, import_id=report.import_id
            )
            if report.dry_run:
                raise _Rehearsed
    return added


async def _in_parts(app: App, batch: Batch, now: datetime, import_id: UUID, kept: Added) -> Added:
    """The batch over two connections, so that the database writes with two processes. A person is
    in one part only. What was committed when the other part fails is added to `kept`."""

    async def part(people: People) -> Added:
        async with transaction(app.engine) as conn:
            return await write(conn, settled, people, now, import_id)

    async with transaction(app.engine) as lock:  # reads, holds the lock, and writes nothing
        await lock_imports(lock)
        settled = await settle(lock, app.keys, batch.table, batch.odd)
        async with transaction(app.engine) as conn:
            await save_companies(conn, settled)
        parts = map(part, settled.people.slices(_PARTS))
        done = await asyncio.gather(*parts, return_exceptions=True)
    failed = [one for one in done if isinstance(one, BaseException)]
    for one in done:
        if isinstance(one, Added):
            kept += one
    if failed:
        raise failed[0]
    kept.opted_out = settled.opted_out
    return kept
