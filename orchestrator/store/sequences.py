"""SQL of sequences and their immutable versions."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.models.calls import hosts as hosts_table
from orchestrator.models.messages import senders
from orchestrator.models.sequences import enrollments, sequence_versions, sequences
from orchestrator.rules.program import Program

_MAX_CACHED = 512
_programs: dict[UUID, Program] = {}


@dataclass(frozen=True, slots=True)
class SequenceRow:
    """One sequence."""

    id: UUID
    name: str
    state: str  # active | paused | archived
    created_at: datetime


@dataclass(frozen=True, slots=True)
class VersionRow:
    """One published version, without its program."""

    id: UUID
    sequence_id: UUID
    number: int
    digest: str
    published_at: datetime


@dataclass(frozen=True, slots=True)
class Listed:
    """A sequence with what is going on in it."""

    id: UUID
    name: str
    state: str
    created_at: datetime
    version: int | None  # the newest
    published_at: datetime | None
    enrollments: dict[str, int]  # by state


async def load_program(conn: AsyncConnection, version_id: UUID) -> Program:
    """The program of a version. Raises KeyError when there is no such version.

    Versions never change (a trigger refuses it), so that what was read once stays right; the row
    is seen by this transaction before it is kept, and ids are never reused.
    """
    cached = _programs.get(version_id)
    if cached is not None:
        return cached
    definition = (
        await conn.execute(
            select(sequence_versions.c.definition).where(sequence_versions.c.id == version_id)
        )
    ).scalar_one_or_none()
    if definition is None:
        raise KeyError(version_id)
    program = Program.model_validate(definition)
    if len(_programs) >= _MAX_CACHED:
        _programs.pop(next(iter(_programs)))
    _programs[version_id] = program
    return program


async def get(conn: AsyncConnection, name: str) -> SequenceRow | None:
    """The sequence called `name`."""
    row = (
        await conn.execute(
            select(
                sequences.c.id, sequences.c.name, sequences.c.state, sequences.c.created_at
            ).where(sequences.c.name == name)
        )
    ).one_or_none()
    return SequenceRow(*row) if row else None


async def lock(conn: AsyncConnection, name: str) -> SequenceRow | None:
    """The same, its row locked FOR UPDATE until the transaction ends: whoever enrolls, plans or
    publishes in it at this moment comes before or after, never in between."""
    row = (
        await conn.execute(
            select(sequences.c.id, sequences.c.name, sequences.c.state, sequences.c.created_at)
            .where(sequences.c.name == name)
            .with_for_update()
        )
    ).one_or_none()
    return SequenceRow(*row) if row else None


async def add(conn: AsyncConnection, *, sequence_id: UUID, name: str, now: datetime) -> None:
    """A new sequence, active and without a version; nothing when the name is taken."""
    await conn.execute(
        upsert(sequences)
        .values(id=sequence_id, name=name, created_at=now)
        .on_conflict_do_nothing(index_elements=["name"])
    )


async def set_state(conn: AsyncConnection, sequence_id: UUID, state: str) -> None:
    """Change the state of a sequence whose row is locked."""
    await conn.execute(update(sequences).where(sequences.c.id == sequence_id).values(state=state))


async def add_version(
    conn: AsyncConnection,
    *,
    version_id: UUID,
    sequence_id: UUID,
    number: int,
    definition: dict[str, Any],
    source: str,
    digest: str,
    now: datetime,
) -> None:
    """A new version. It cannot be changed afterwards."""
    await conn.execute(
        insert(sequence_versions).values(
            id=version_id,
            sequence_id=sequence_id,
            number=number,
            definition=definition,
            source=source,
            digest=digest,
            published_at=now,
        )
    )


async def versions(conn: AsyncConnection, sequence_id: UUID) -> list[VersionRow]:
    """Every version of a sequence, newest first."""
    columns = sequence_versions.c
    rows = await conn.execute(
        select(
            columns.id, columns.sequence_id, columns.number, columns.digest, columns.published_at
        )
        .where(columns.sequence_id == sequence_id)
        .order_by(columns.number.desc())
    )
    return [VersionRow(*row) for row in rows]


async def newest_version(conn: AsyncConnection, sequence_id: UUID) -> VersionRow | None:
    """The version that people are enrolled in now."""
    found = await versions(conn, sequence_id)
    return found[0] if found else None


async def source_of(conn: AsyncConnection, version_id: UUID) -> str:
    """The file of a version as it was written. Raises NoResultFound."""
    return str(
        (
            await conn.execute(
                select(sequence_versions.c.source).where(sequence_versions.c.id == version_id)
            )
        ).scalar_one()
    )


async def listing(conn: AsyncConnection, *, archived: bool = False) -> list[Listed]:
    """Every sequence by name, with its newest version and how many are enrolled in which state."""
    newest = (
        select(sequence_versions.c.number, sequence_versions.c.published_at)
        .where(sequence_versions.c.sequence_id == sequences.c.id)
        .order_by(sequence_versions.c.number.desc())
        .limit(1)
        .lateral()
    )
    query = (
        select(
            sequences.c.id,
            sequences.c.name,
            sequences.c.state,
            sequences.c.created_at,
            newest.c.number,
            newest.c.published_at,
        )
        .select_from(sequences.outerjoin(newest, newest.c.number.is_not(None)))
        .order_by(sequences.c.name)
    )
    if not archived:
        query = query.where(sequences.c.state != "archived")
    counts = await enrollment_counts(conn)
    return [Listed(*row, enrollments=counts.get(row.id, {})) for row in await conn.execute(query)]


async def enrollment_counts(conn: AsyncConnection) -> dict[UUID, dict[str, int]]:
    """How many enrollments each sequence has, by state."""
    rows = await conn.execute(
        select(enrollments.c.sequence_id, enrollments.c.state, func.count()).group_by(
            enrollments.c.sequence_id, enrollments.c.state
        )
    )
    found: dict[UUID, dict[str, int]] = {}
    for sequence_id, state, count in rows:
        found.setdefault(sequence_id, {})[state] = count
    return found


async def missing_names(conn: AsyncConnection, *, hosts: set[str], sender: str | None) -> list[str]:
    """What a version names and nobody has set up yet, as lines for a person."""
    known = set(await conn.scalars(select(hosts_table.c.name).where(hosts_table.c.name.in_(hosts))))
    notes = [f"there is no host `{name}` yet" for name in sorted(hosts - known)]
    if sender is not None:
        found = await conn.scalar(select(senders.c.id).where(senders.c.name == sender))
        if found is None:
            notes.append(f"there is no sender `{sender}` yet")
    return notes
