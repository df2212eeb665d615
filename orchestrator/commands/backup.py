"""`avtale backup` and `avtale restore`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from orchestrator import backup as backups
from orchestrator import migrate
from orchestrator.backup import Note
from orchestrator.clock import database_now
from orchestrator.commands.common import err, guarded
from orchestrator.commands.common import settings as read_settings
from orchestrator.config import Settings
from orchestrator.db import check_server, make_engine, transaction
from orchestrator.embedded import Embedded
from orchestrator.errors import Conflict, NotFound, SetupError
from orchestrator.store import restored, snapshots

app = typer.Typer(help="Back up and restore the database.")


@asynccontextmanager
async def _database(settings: Settings) -> AsyncIterator[tuple[str, AsyncEngine]]:
    """The database that is set or runs; else the one of the data directory, started for this."""
    own = None
    if settings.database_url is None:
        own = Embedded(settings.data_dir, redis=False)
        own.start()
    url = settings.database_url or (own.endpoints.database_url if own else "")
    engine = make_engine(url, pool_size=2)
    try:
        await check_server(engine, head=None)
        yield url, engine
    finally:
        await engine.dispose()
        if own is not None:
            own.stop()


def _secret(settings: Settings) -> str | None:
    """The secret key, also the one that `avtale up` keeps in its data directory."""
    if settings.secret_key is not None:
        return settings.secret_key.get_secret_value()
    kept = settings.data_dir / "secret.key"
    ours = settings.database_url is None and kept.exists()
    return kept.read_text().strip() if ours else None


def _nothing(settings: Settings) -> str:
    where = "this database was never migrated; is AVTALE_DATABASE_URL the right one?"
    if settings.database_url is None:
        where = f"{settings.data_dir} has no data; is AVTALE_DATA_DIR the right one?"
    return f"There is nothing to back up: {where}"


def _say(words: str) -> None:
    err.print(words, style="dim", markup=False)


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="Where to write it; FILE.json says what is in it.")],
    overwrite: Annotated[bool, typer.Option(help="Replace a backup that is there.")] = False,
) -> None:
    """Write one consistent snapshot of the database to FILE, while everything runs on.

    Passwords of senders are in it as they are kept: sealed by AVTALE_SECRET_KEY, which is not in it
    and is needed to read them. Keep the two apart.

    Example: `avtale backup /backups/avtale-2026-11-23.dump`
    """
    settings = read_settings()
    if not file.parent.is_dir():
        raise NotFound(f"There is no directory {file.parent}: make it, or write somewhere else.")
    if not overwrite and (file.exists() or backups.note_path(file).exists()):
        raise Conflict(f"{file} is there already: choose another name, or --overwrite.")

    async def work() -> Note:
        backups.note_path(file).unlink(missing_ok=True)  # never an old note beside a new file
        async with _database(settings) as (url, engine), transaction(engine) as conn:
            snapshot = await snapshots.export(conn)
            if await restored.under_way(conn):
                raise Conflict("A restore of this database was not finished: it is no backup yet.")
            if snapshot.revision is None:
                raise SetupError(_nothing(settings))
            counts = await restored.counts(conn)
            await backups.dump(url, file, snapshot=snapshot.name, say=_say)
        key = _secret(settings)
        note = Note(
            taken_at=snapshot.taken_at.isoformat(),
            revision=snapshot.revision,
            counts=counts,
            sha256=backups.digest(file),
            bytes=file.stat().st_size,
            key=backups.fingerprint(key) if key else None,
        )
        backups.write_note(file, note)
        return note

    note = guarded(work)
    rows = ", ".join(f"{name} {count:,}" for name, count in note.counts.items() if count)
    wrote = f"Wrote {file} ({note.bytes:,} bytes). {rows or 'An empty installation.'}"
    err.print(wrote, markup=False, soft_wrap=True)
    err.print("Keep AVTALE_SECRET_KEY elsewhere: this backup needs it.")


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="What `avtale backup` or `pg_dump -Fc` wrote.")],
    replace: Annotated[
        bool, typer.Option(help="Throw away what is in the database. It does not come back.")
    ] = False,
    taken_at: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%dT%H:%M"],
            metavar="YYYY-MM-DDTHH:MM",
            help="When it was taken (UTC), for a dump without FILE.json.",
        ),
    ] = None,
    other_key: Annotated[
        bool, typer.Option(help="Restore although the secret key is another one now.")
    ] = False,
) -> None:
    """Restore FILE into an empty database, migrate it, and hold what may have left since.

    Stop every `avtale api` and `avtale worker` of this database first. Whatever was unsent in FILE
    may have been sent after it was written: it is put in doubt or held, and a person decides
    (`avtale late`). Nothing is sent twice by a restore.

    Example: `avtale restore /backups/avtale-2026-11-23.dump`
    """
    settings = read_settings()
    if not file.exists():
        raise NotFound(f"There is no file {file}.")
    note = backups.read_note(file)
    _check(settings, file, note, other_key)

    async def work() -> restored.Held:
        async with _database(settings) as (url, engine):
            await _make_room(engine, replace)
            await engine.dispose()
            await backups.load(url, file, say=_say)
            await migrate.upgrade(url)
            return await _hold(engine, note, taken_at)

    held = guarded(work)
    err.print(f"Restored. {_told(held)}", soft_wrap=True)
    if settings.database_url is None:
        err.print("Start `avtale up` (what is held stays), then `avtale verify`.", soft_wrap=True)
    else:
        err.print("Then `avtale verify`, and start the workers.", soft_wrap=True)


def _told(held: restored.Held) -> str:
    if not held.messages and not held.enrollments:
        return "Nothing was waiting in it that may have left since."
    return (
        f"In doubt: {held.messages:,} messages; held: {held.enrollments:,} sequences of people."
        " They may have left after this backup was taken: `avtale late` shows them."
    )


def _check(settings: Settings, file: Path, note: Note | None, other_key: bool) -> None:
    if note is None:
        return
    if backups.digest(file) != note.sha256:
        raise Conflict(f"{file} is not the file that {backups.note_path(file).name} describes.")
    key = _secret(settings)
    if key and note.key and backups.fingerprint(key) != note.key and not other_key:
        raise Conflict(
            "AVTALE_SECRET_KEY is not the one of this backup: suppressions, links and passwords in"
            " it would be worthless. Set the old key, or say --other-key."
        )


async def _make_room(engine: AsyncEngine, replace: bool) -> None:
    """Empty the database and mark it, so that nobody can start on it until `_hold` is committed."""
    async with transaction(engine) as conn:
        await _refuse_what_is_used(conn, replace)
        marked = await restored.begin(conn)
    try:
        async with transaction(engine) as conn:
            await _refuse_what_is_used(conn, replace)  # whoever started before the mark was seen
            if await snapshots.has_tables(conn):
                await snapshots.empty(conn)
                await restored.begin(conn)
    except Conflict:
        if marked:
            async with transaction(engine) as conn:
                await restored.end(conn)
        raise


async def _refuse_what_is_used(conn: AsyncConnection, replace: bool) -> None:
    if others := await snapshots.others(conn):
        raise Conflict(
            f"{others} connections of Avtale are open on this database: stop every `avtale api`"
            " and `avtale worker` first."
        )
    if await snapshots.has_data(conn) and not replace:
        raise Conflict(
            "This database has data: restore into an empty one, or say --replace to throw"
            " away what is in it."
        )


async def _hold(engine: AsyncEngine, note: Note | None, taken_at: datetime | None) -> restored.Held:
    async with transaction(engine) as conn:
        now = await database_now(conn)
        taken = taken_at.replace(tzinfo=UTC) if taken_at else None
        if note is not None:
            taken = datetime.fromisoformat(note.taken_at)
            if (counted := await restored.counts(conn)) != note.counts:
                raise Conflict(f"The restored rows are {counted}, and should be {note.counts}.")
        taken = taken or await restored.newest_fact(conn) or now
        held = await restored.hold_all(conn, snapshot=min(taken, now), now=now)
        await restored.end(conn)
        return held
