"""What the commands of `avtale sequence` share: reading plans from files and from the database."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Table

from orchestrator import config
from orchestrator.commands.common import fail, out, run
from orchestrator.db import transaction
from orchestrator.errors import AvtaleError, BadInput, NotFound
from orchestrator.rules.program import Program
from orchestrator.rules.sequence_file import TemplateLibrary, parse
from orchestrator.rules.timeline import summary, timeline
from orchestrator.store import sequences
from orchestrator.template_library import load_library

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from orchestrator.wiring import App


def library_of(templates: Path | None) -> TemplateLibrary:
    """The shipped templates with those of `templates`, else of AVTALE_TEMPLATES_DIR, over them."""
    try:
        return load_library(templates or config.get_settings().templates_dir)
    except AvtaleError as error:
        fail(error)


def read_file(file: Path) -> str:
    """The text of `file`, `-` being stdin; ends the command when there is none."""
    try:
        raw = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        fail(BadInput(f"{file}:{line}:1: not UTF-8: save the file as UTF-8"))
    except OSError as error:
        fail(BadInput(f"{file} cannot be read: {error.strerror}"))


def is_file(target: str) -> bool:
    """Whether `target` names a file and not a published sequence."""
    return target.endswith((".yaml", ".yml", ".json")) or Path(target).is_file()


def load_plan(target: str, version: int | None, templates: Path | None) -> tuple[str, Program, str]:
    """Title, program and source of a file or a published version."""
    if is_file(target):
        text = read_file(Path(target))
        parsed = parse(text, target, library_of(templates))
        if parsed.program is None:
            first = parsed.faults[0]
            fail(BadInput(f"{target}:{first.line}:{first.column}: {first.message}"))
        return target, parsed.program, text

    async def work(opened: "App") -> tuple[str, Program, str]:
        async with transaction(opened.engine) as conn:
            return await _published(conn, target, version)

    return run(work)


async def _published(
    conn: "AsyncConnection", name: str, number: int | None
) -> tuple[str, Program, str]:
    sequence = await sequences.get(conn, name)
    if sequence is None:
        raise NotFound(f"there is no sequence {name}: `avtale sequence list` has their names")
    versions = await sequences.versions(conn, sequence.id)
    chosen = [one for one in versions if number in (None, one.number)]
    if not chosen:
        raise NotFound(f"{name} has no version {number or 1}: {len(versions)} are published")
    program = await sequences.load_program(conn, chosen[0].id)
    title = f"{name} version {chosen[0].number}"
    return title, program, await sequences.source_of(conn, chosen[0].id)


def draw(title: str, program: Program) -> None:
    """A plan as a timeline on stdout."""
    out.print(f"[bold]{escape(title)}[/bold]", soft_wrap=True)
    for line in filter(None, (program.about, summary(program))):
        out.print(escape(line), style="dim", soft_wrap=True)
    table = Table("when", "step", "what happens", "leads to", box=None, padding=(0, 2, 0, 0))
    for row in timeline(program):
        cells: tuple[Any, ...] = (row.when, row.step, row.what, row.then)
        table.add_row(*(escape(cell) for cell in cells))
    out.print(table)
