"""Publish a sequence file: an immutable version, proved before it is stored."""

import asyncio
import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.errors import BadInput, Conflict
from orchestrator.ids import uuid7
from orchestrator.rules.program import CallStep, Program
from orchestrator.rules.sequence_file import CHANNELS, Fault, TemplateLibrary, parse
from orchestrator.rules.sequence_file.proof import unearned_calls
from orchestrator.store import history, sequences


@dataclass(frozen=True, slots=True)
class Published:
    """What publishing did. `created` False: this very plan was published before, as `number`."""

    version_id: UUID
    sequence: str
    number: int
    created: bool
    notes: tuple[str, ...] = field(default=())  # what is still to be set up


async def publish_sequence(
    conn: AsyncConnection,
    *,
    text: str,
    filename: str,
    library: TemplateLibrary,
    now: datetime,
    channels: tuple[str, ...] = CHANNELS,
) -> Published:
    """Publish the text of a sequence file as the newest version of the sequence that it names.

    The same plan (template texts included) is not published twice. People who are enrolled stay
    on their version. Raises BadInput with every fault in `extra["faults"]`, and Conflict when the
    sequence is archived.
    """
    # Off the loop: a large file takes its time, and nothing is locked yet.
    parsed = await asyncio.to_thread(parse, text, filename, library, channels)
    if parsed.program is None:
        raise faulty(filename, parsed.faults)
    program = parsed.program
    if unearned_calls(program):  # L1 once more, on the very value that is stored
        raise BadInput(f"{filename}: a call can be reached without an engagement")
    sequence = await _sequence(conn, program.sequence, now)
    if sequence.state == "archived":
        raise Conflict(
            f"{program.sequence} is archived: `avtale sequence resume {program.sequence}` first"
        )
    hosts = {step.host for step in program.steps if isinstance(step, CallStep)}
    notes = tuple(await sequences.missing_names(conn, hosts=hosts, sender=program.sender))
    made = digest(program)
    versions = await sequences.versions(conn, sequence.id)
    for old in versions:
        if old.digest == made:
            if old.number != versions[0].number:
                notes = (*notes, _old_again(old.number, versions[0].number))
            return Published(old.id, program.sequence, old.number, False, notes)
    number = versions[0].number + 1 if versions else 1
    version_id = await _add(
        conn, sequence.id, program, text=text, made=made, number=number, now=now
    )
    return Published(version_id, program.sequence, number, True, notes)


def _old_again(old: int, newest: int) -> str:
    return (
        f"this is version {old} again, and people are still enrolled in version {newest}: "
        "to go back, change a word of `about` and publish it as a new version"
    )


def faulty(filename: str, faults: list[Fault]) -> BadInput:
    """The error of a file with faults: the first in words, all of them in `extra`."""
    first = faults[0]
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return BadInput(
        f"{filename}:{first.line}:{first.column}: {first.message}{more}",
        faults=[{"line": one.line, "column": one.column, "message": one.message} for one in faults],
    )


def digest(program: Program) -> str:
    """SHA-256 (hex) of the program as canonical JSON: what the plan is, not how it was typed."""
    canonical = json.dumps(
        program.model_dump(mode="json"), sort_keys=True, ensure_ascii=False, separators=(",", ":")
    )
    return hashlib.sha256(canonical.encode()).hexdigest()


async def _sequence(conn: AsyncConnection, name: str, now: datetime) -> sequences.SequenceRow:
    """The sequence, locked; made when there is none. Two that make it at once get the same one."""
    found = await sequences.lock(conn, name)
    if found is None:
        await sequences.add(conn, sequence_id=uuid7(), name=name, now=now)
        found = await sequences.lock(conn, name)
    assert found is not None
    return found


async def _add(
    conn: AsyncConnection,
    sequence_id: UUID,
    program: Program,
    *,
    text: str,
    made: str,
    number: int,
    now: datetime,
) -> UUID:
    version_id = uuid7()
    await sequences.add_version(
        conn,
        version_id=version_id,
        sequence_id=sequence_id,
        number=number,
        definition=program.model_dump(mode="json"),
        source=text,
        digest=made,
        now=now,
    )
    await history.append(
        conn,
        "sequence.published",
        at=now,
        sequence_id=str(sequence_id),
        version_id=str(version_id),
        number=number,
    )
    return version_id
