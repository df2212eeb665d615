"""`avtale sequence`: check, publish, look at and stop sequences."""

import difflib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from orchestrator.clock import database_now
from orchestrator.commands.common import emit, err, fail, out, run
from orchestrator.commands.sequence_plans import draw, is_file, library_of, load_plan, read_file
from orchestrator.db import transaction
from orchestrator.errors import BadInput, NotFound
from orchestrator.flows.publish_sequence import Published, publish_sequence
from orchestrator.flows.set_sequence_state import State, set_sequence_state
from orchestrator.rules.sequence_file import Fault, json_schema, parse
from orchestrator.rules.timeline import describe
from orchestrator.store import sequences
from orchestrator.template_library import SHIPPED, load_library

if TYPE_CHECKING:
    from orchestrator.wiring import App

app = typer.Typer(
    help="Sequences: the plans that people are enrolled in. They are files; start with\n\n"
    "  avtale sequence new first-touch --language nb\n\n"
    "  avtale sequence check first-touch.yaml\n\n"
    "  avtale sequence publish first-touch.yaml",
    no_args_is_help=True,
)

_File = Annotated[Path, typer.Argument(metavar="FILE", help="YAML or JSON; - reads stdin.")]
_Name = Annotated[str, typer.Argument(metavar="NAME", help="The name that the file gives.")]
_Json = Annotated[bool, typer.Option("--json", help="Write JSON.")]
_Templates = Annotated[
    Path | None,
    typer.Option("--templates", help="A folder of your own templates: LANGUAGE/NAME.md."),
]
STARTERS = {"nb": "accounting-first-touch", "sv": "wholesale-orders", "en": "property-managers"}


@app.command()
def check(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="YAML or JSON.")],
    templates: _Templates = None,
    as_json: _Json = False,
) -> None:
    """Tell every fault with its line and column. Needs no database; exit 1 when there is one.

    Example: avtale sequence check sequences/*.yaml
    """
    library = library_of(templates)
    found: dict[str, list[Fault]] = {}
    for file in files:
        found[str(file)] = parse(read_file(file), file.name, library).faults
    count = sum(map(len, found.values()))
    if as_json:
        emit([{"file": name, "faults": faults} for name, faults in found.items()])
    else:
        for name, faults in found.items():
            for fault in faults:
                typer.echo(f"{name}:{fault.line}:{fault.column}: {fault.message}")
        told = f"{count} fault{'s' if count != 1 else ''}" if count else "no fault"
        checked = f"{len(found)} file{'s' if len(found) != 1 else ''} checked"
        err.print(f"{checked}, {told}.", style="red" if count else "green", soft_wrap=True)
    if count:
        raise typer.Exit(1)


@app.command()
def publish(file: _File, templates: _Templates = None, as_json: _Json = False) -> None:
    """Make a version of a file. Versions never change; who is enrolled stays on theirs.

    Example: avtale sequence publish first-touch.yaml
    """
    text, library = read_file(file), library_of(templates)
    faults = parse(text, file.name, library).faults
    if faults:
        for fault in faults:
            typer.echo(f"{file}:{fault.line}:{fault.column}: {fault.message}", err=True)
        err.print(f"{len(faults)} to mend; nothing was published.", style="red", soft_wrap=True)
        raise typer.Exit(1)

    async def work(opened: "App") -> Published:
        async with transaction(opened.engine) as conn:
            now = await database_now(conn)
            return await publish_sequence(
                conn, text=text, filename=file.name, library=library, now=now
            )

    made = run(work)
    if as_json:
        emit(made)
        return
    state = "published" if made.created else "was published before, nothing changed"
    err.print(f"[green]{made.sequence} version {made.number}[/green] {state}.", soft_wrap=True)
    for note in made.notes:
        err.print(f"Note: {escape(note)}.", style="yellow", soft_wrap=True)


@app.command(name="list")
def list_(
    archived: Annotated[bool, typer.Option("--archived", help="Show archived ones too.")] = False,
    as_json: _Json = False,
) -> None:
    """Show the sequences and how many people are where in them."""

    async def work(opened: "App") -> list[sequences.Listed]:
        async with transaction(opened.engine) as conn:
            return await sequences.listing(conn, archived=archived)

    rows = run(work)
    if as_json:
        emit(rows)
        return
    if not rows:
        err.print(
            "There is no sequence yet: `avtale sequence publish FILE` makes one.", soft_wrap=True
        )
    table = Table("sequence", "state", "version", "published", "enrollments")
    for row in rows:
        counts = ", ".join(f"{count} {state}" for state, count in sorted(row.enrollments.items()))
        published = f"{row.published_at:%Y-%m-%d %H:%M}" if row.published_at else ""
        table.add_row(row.name, row.state, str(row.version or ""), published, counts or "none")
    if rows:
        out.print(table)


@app.command()
def show(
    target: Annotated[str, typer.Argument(metavar="NAME|FILE")],
    version: Annotated[int | None, typer.Option(help="The newest when left out.")] = None,
    templates: _Templates = None,
    texts: Annotated[bool, typer.Option("--texts", help="With every text in full.")] = False,
    source: Annotated[bool, typer.Option("--source", help="The file as it was written.")] = False,
    as_json: _Json = False,
) -> None:
    """Show a plan as a timeline: a published one by name, or a file.

    Example: avtale sequence show first-touch --version 2
    """
    title, program, written = load_plan(target, version, templates)
    if as_json:
        emit(program)
    elif source:
        typer.echo(written, nl=False)
    elif texts:
        typer.echo("\n".join(describe(program)))
    else:
        draw(title, program)


@app.command()
def diff(
    target: Annotated[str, typer.Argument(metavar="NAME|FILE")],
    old: Annotated[int | None, typer.Argument(help="A version; the one before NEW.")] = None,
    new: Annotated[int | None, typer.Argument(help="A version; the newest.")] = None,
    templates: _Templates = None,
) -> None:
    """Show what changes for people: between two versions, or from the published one to a file.

    Examples: avtale sequence diff first-touch 1 3, avtale sequence diff first-touch.yaml
    """
    title, program, _ = load_plan(target, new, templates)
    if old is None and not is_file(target):
        old = int(title.rpartition(" ")[2]) - 1
        if old < 1:
            fail(NotFound(f"{target} has one version only: there is nothing to compare with"))
    before_title, before, _ = load_plan(program.sequence, old, None)
    lines = difflib.unified_diff(
        describe(before), describe(program), before_title, title, lineterm=""
    )
    colours = {"+": "green", "-": "red", "@": "cyan"}
    changed = False
    for line in lines:
        changed = True
        out.print(escape(line), style=colours.get(line[:1], ""), soft_wrap=True)
    if not changed:
        err.print(f"{before_title} and {title} say the same.", soft_wrap=True)


@app.command()
def pause(name: _Name) -> None:
    """Let nothing more leave, and keep everybody where they are."""
    _set_state(name, "paused", "is paused: nothing leaves until `avtale sequence resume`")


@app.command()
def resume(name: _Name) -> None:
    """Let a paused or archived sequence go on."""
    _set_state(name, "active", "goes on")


@app.command()
def archive(name: _Name) -> None:
    """Put a sequence away: nothing leaves, nobody can be enrolled. `resume` brings it back."""
    _set_state(name, "archived", "is archived")


@app.command()
def schema() -> None:
    """Write the JSON Schema of a sequence file, for editors."""
    emit(json_schema())


@app.command()
def new(
    name: _Name,
    language: Annotated[str, typer.Option(help=f"One of {', '.join(STARTERS)}.")] = "en",
    to: Annotated[Path, typer.Option(help="The folder to write to.")] = Path("."),
) -> None:
    """Write a starter file to make your own.

    Example: avtale sequence new first-touch --language nb
    """
    if language not in STARTERS:
        fail(BadInput(f"there is no starter in {language}: choose {', '.join(STARTERS)}"))
    starter = STARTERS[language]
    text = (SHIPPED / "sequences" / f"{starter}.yaml").read_text("utf-8")
    text = text.replace(f"sequence: {starter}\n", f"sequence: {name}\n", 1)
    text = text.partition("\n")[2]  # the path of the schema holds in the repository only
    faults = parse(text, "new.yaml", load_library()).faults
    if faults:
        fail(BadInput(faults[0].message))
    file = to / f"{name}.yaml"
    try:
        with file.open("x", encoding="utf-8") as opened:
            opened.write(text)
    except FileExistsError:
        fail(BadInput(f"{file} is there already: choose another name, or remove it"))
    except OSError as error:
        fail(BadInput(f"{file} cannot be written: {error.strerror}"))
    err.print(f"{file}: make it yours, then `avtale sequence check {file}`.", soft_wrap=True)


def _set_state(name: str, state: State, told: str) -> None:
    async def work(opened: "App") -> bool:
        async with transaction(opened.engine) as conn:
            return await set_sequence_state(
                conn, name=name, state=state, now=await database_now(conn)
            )

    err.print(f"{name} {told}." if run(work) else f"{name} is {state} already.", soft_wrap=True)
