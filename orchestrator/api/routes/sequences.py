"""Sequences and their versions: published as the text of a file, never edited in place."""

import asyncio
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import Field, StringConstraints
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.api import idempotency
from orchestrator.api.paging import Page, Paging
from orchestrator.api.parts import Avtale, Caller, reach
from orchestrator.api.problems import responses
from orchestrator.api.reading import read_one, read_page
from orchestrator.api.shapes import In, Out
from orchestrator.clock import database_now
from orchestrator.db import transaction
from orchestrator.errors import NotFound
from orchestrator.flows.publish_sequence import publish_sequence
from orchestrator.flows.set_sequence_state import set_sequence_state
from orchestrator.models.sequences import sequence_versions, sequences
from orchestrator.rules.sequence_file import TemplateLibrary, parse
from orchestrator.store import listing
from orchestrator.template_library import load_library

router = APIRouter(prefix="/api/sequences", tags=["sequences"])


class Sequence(Out):
    """A definition by name. People stay on the version that they were enrolled in."""

    id: UUID
    name: str
    state: Literal["active", "paused", "archived"]
    newest_version: int | None
    created_at: datetime


class Version(Out):
    """One immutable version."""

    id: UUID
    sequence_id: UUID
    number: int
    digest: str
    published_at: datetime


class WholeVersion(Version):
    """A version with the file as it was written and the program that it became."""

    source: str
    definition: dict[str, Any]


class SequenceFile(In):
    """A sequence as ops write it."""

    text: Annotated[
        str, StringConstraints(min_length=1, max_length=500_000, strip_whitespace=False)
    ]
    filename: str = Field(
        "sequence.yaml",
        pattern=r"^[\w.-]{1,100}\.(yaml|yml|json)$",
        description="its ending says YAML or JSON",
    )


class FileFault(Out):
    """One fault, and where it is."""

    line: int
    column: int
    message: str


class Checked(Out):
    """Whether a file could be published."""

    ok: bool
    sequence: str | None
    faults: list[FileFault]


class PublishedVersion(Out):
    """What publishing did. `created` false: the same plan was published before."""

    version_id: UUID
    sequence: str
    number: int
    created: bool
    notes: list[str] = Field(description="what is still to be set up")


@lru_cache(maxsize=4)
def _library(folder: Path | None) -> TemplateLibrary:
    return load_library(folder)


@router.get("", dependencies=[reach("sequences:read")], summary="List sequences")
async def list_sequences(
    app: Avtale, wanted: Paging, state: Literal["active", "paused", "archived"] | None = None
) -> Page[Sequence]:
    """The newest first."""
    conditions = [sequences.c.state == state] if state else []
    found = await read_page(app, listing.SEQUENCES, sequences.c.id, wanted, *conditions)
    return Page[Sequence].model_validate(found)


@router.post("/check", dependencies=[reach("sequences:read")], summary="Check a sequence file")
async def check_sequence(app: Avtale, body: SequenceFile) -> Checked:
    """Every fault with its line and column; nothing is stored."""
    parsed = await asyncio.to_thread(
        parse, body.text, body.filename, _library(app.settings.templates_dir)
    )
    return Checked(
        ok=parsed.program is not None,
        sequence=parsed.program.sequence if parsed.program else None,
        faults=[FileFault.model_validate(fault) for fault in parsed.faults],
    )


@router.post(
    "/publish",
    status_code=201,
    response_model=PublishedVersion,
    summary="Publish a sequence file",
    responses=responses(409),
)
async def publish_file(
    request: Request,
    body: SequenceFile,
    caller: Annotated[Caller, reach("sequences:write")],
    key: idempotency.Key = None,
) -> Response:
    """Make an immutable version. A file with faults is refused with all of them; so is a plan in
    which a call can be reached without an engagement."""

    async def work(conn: AsyncConnection, now: datetime) -> PublishedVersion:
        made = await publish_sequence(
            conn,
            text=body.text,
            filename=body.filename,
            library=_library(request.app.state.avtale.settings.templates_dir),
            now=now,
        )
        return PublishedVersion.model_validate(
            {**{name: getattr(made, name) for name in made.__slots__}, "notes": list(made.notes)}
        )

    return await idempotency.create(request, caller, key, work)


@router.get(
    "/{name}",
    dependencies=[reach("sequences:read")],
    summary="Read a sequence",
    responses=responses(404),
)
async def get_sequence(app: Avtale, name: str) -> Sequence:
    """One sequence by its name."""
    row = await read_one(app, listing.SEQUENCES, sequences.c.name == name, "sequence")
    return Sequence.model_validate(row)


@router.get(
    "/{name}/versions",
    dependencies=[reach("sequences:read")],
    summary="List the versions of a sequence",
    responses=responses(404),
)
async def list_versions(app: Avtale, name: str, wanted: Paging) -> Page[Version]:
    """The newest first."""
    owner = await get_sequence(app, name)
    found = await read_page(
        app,
        listing.VERSIONS,
        sequence_versions.c.id,
        wanted,
        sequence_versions.c.sequence_id == owner.id,
    )
    return Page[Version].model_validate(found)


@router.get(
    "/{name}/versions/{number}",
    dependencies=[reach("sequences:read")],
    summary="Read a version",
    responses=responses(404),
)
async def get_version(app: Avtale, name: str, number: int) -> WholeVersion:
    """The version with its file."""
    if not 0 < number < 1_000_000:
        raise NotFound("there is no such version")
    owner = await get_sequence(app, name)
    query = listing.VERSIONS.add_columns(
        sequence_versions.c.source, sequence_versions.c.definition
    ).where(sequence_versions.c.sequence_id == owner.id)
    row = await read_one(app, query, sequence_versions.c.number == number, "version")
    return WholeVersion.model_validate(row)


async def _to(app: Avtale, name: str, state: Literal["active", "paused", "archived"]) -> Sequence:
    async with transaction(app.engine) as conn:
        await set_sequence_state(conn, name=name, state=state, now=await database_now(conn))
    app.ring("plan")
    return await get_sequence(app, name)


@router.post(
    "/{name}/pause",
    dependencies=[reach("sequences:write")],
    summary="Pause a sequence",
    responses=responses(404, 409),
)
async def pause_sequence(app: Avtale, name: str) -> Sequence:
    """Nothing of it leaves until it is resumed."""
    return await _to(app, name, "paused")


@router.post(
    "/{name}/resume",
    dependencies=[reach("sequences:write")],
    summary="Resume a sequence",
    responses=responses(404, 409),
)
async def resume_sequence(app: Avtale, name: str) -> Sequence:
    """It goes on where it was."""
    return await _to(app, name, "active")


@router.post(
    "/{name}/archive",
    dependencies=[reach("sequences:write")],
    summary="Archive a sequence",
    responses=responses(404, 409),
)
async def archive_sequence(app: Avtale, name: str) -> Sequence:
    """Nobody is enrolled in it any more."""
    return await _to(app, name, "archived")
