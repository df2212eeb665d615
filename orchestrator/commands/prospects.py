"""`avtale prospects`: import a file of people, list them, show one."""

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from rich.table import Table

from orchestrator import clock
from orchestrator.commands.common import emit, err, out, run
from orchestrator.commands.filters import parse_where
from orchestrator.db import transaction
from orchestrator.errors import BadInput, NotFound
from orchestrator.flows.import_prospects import ImportReport, import_prospects
from orchestrator.rules.context import PersonFacts
from orchestrator.rules.import_columns import LINE, REASONS
from orchestrator.rules.import_rows import Reject
from orchestrator.rules.spreadsheet import safe_cell
from orchestrator.store import people
from orchestrator.wiring import App

app = typer.Typer(help="People to reach: import, list, show.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
Where = Annotated[
    str | None, typer.Option("--where", help="For example: country = NO and fact.pain exists")
]


class Rejects:
    """The rejects file: the original columns, the line and the reasons; safe in a spreadsheet."""

    def __init__(self, file: TextIO | None) -> None:
        self._writer = csv.writer(file, quoting=csv.QUOTE_ALL) if file else None
        self._width = 0
        self.first: list[Reject] = []  # a few, to show

    def header(self, columns: tuple[str, ...]) -> None:
        """Write the header, once the file's own is known."""
        self._width = len(columns)
        if self._writer:
            self._writer.writerow([*map(safe_cell, columns), LINE, REASONS])

    def add(self, reject: Reject) -> None:
        """Write one row that was not taken."""
        if len(self.first) < 5:
            self.first.append(reject)
        if self._writer:
            cells = list(reject.cells) + [""] * (self._width - len(reject.cells))
            row = [*cells, str(reject.line), reject.why()]
            self._writer.writerow([safe_cell(cell.replace("\0", "")) for cell in row])


@contextmanager
def _rejects(path: Path | None) -> Iterator[Rejects]:
    if path is None:
        yield Rejects(None)
        return
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        yield Rejects(file)


def _overrides(maps: list[str]) -> dict[str, str]:
    found = {}
    for one in maps:
        theirs, sign, ours = one.rpartition("=")
        if not sign or not theirs.strip():
            raise BadInput(f'--map "{one}" is not "Their column=field".')
        found[theirs] = ours
    return found


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="CSV: comma, semicolon or tab; UTF-8 or Excel's.")],
    map_: Annotated[
        list[str] | None, typer.Option("--map", help='"Their column=field", as often as needed.')
    ] = None,
    rejects: Annotated[
        Path | None, typer.Option(help="Where rows that were not taken go, with the reasons.")
    ] = None,
    dry_run: Annotated[bool, typer.Option(help="Check everything, write nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Import people from a CSV file. Safe to run again, also after it was stopped in the middle."""

    async def work(opened: App) -> tuple[ImportReport, list[Reject]]:
        if not file.is_file():
            raise NotFound(f"There is no file {file}.")
        if rejects is not None and rejects.resolve() == file.resolve():
            raise BadInput("--rejects names the file that is imported; it would be overwritten.")
        async with transaction(opened.engine) as conn:
            now = await clock.database_now(conn)
        with _rejects(rejects) as book, _bar() as (bar, task):

            def show(report: ImportReport, done: int, size: int) -> None:
                bar.update(task, completed=done, total=size, rows=report.taken)

            report = await import_prospects(
                opened,
                file,
                now=now,
                overrides=_overrides(map_ or []),
                dry_run=dry_run,
                progress=show,
                on_header=book.header,
                on_reject=book.add,
            )
            return report, book.first

    report, some = run(work)
    if as_json:
        emit(asdict(report))
        return
    _summary(report, some, rejects)


@contextmanager
def _bar() -> Iterator[tuple[Progress, Any]]:
    columns = (
        TextColumn("importing"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rows]} rows"),
    )
    with Progress(*columns, console=err, transient=True) as bar:
        yield bar, bar.add_task("import", total=None, rows=0)


def _summary(report: ImportReport, some: list[Reject], rejects: Path | None) -> None:
    for notice in report.notices:
        err.print(f"[yellow]{escape(notice)}[/yellow]")
    kept = [theirs for theirs, ours in report.columns.items() if ours.startswith("attributes.")]
    if kept:
        err.print(f"Kept as attributes: {escape(', '.join(kept))}")
    begin = "Would take" if report.dry_run else "Took"
    out.print(
        f"{begin} {report.taken} rows: {report.created} new people, {report.updated} updated,"
        f" {report.unchanged} unchanged, {report.repeated} further rows of the same person,"
        f" {report.facts} new facts."
    )
    if report.opted_out:
        out.print(f"{report.opted_out} rows are about people who opted out; they stay out.")
    left = report.rejected + report.opted_out
    if left:
        out.print(f"{left} rows were not taken{':' if some else '.'}")
        for reject in some:
            out.print(f"  line {reject.line}: {escape(reject.why())}", soft_wrap=True)
        where = f"All of them: {rejects}" if rejects else "All of them: say --rejects FILE.csv"
        out.print(escape(where))


@app.command("list")
def list_(
    where: Where = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 50,
    as_json: AsJson = False,
) -> None:
    """List people, oldest first."""
    node = parse_where(where)

    async def work(opened: App) -> tuple[int, list[PersonFacts]]:
        async with transaction(opened.engine) as conn:
            total = await people.count_people(conn, node)
            ids = await people.list_people(conn, node, limit=limit)
            found = await people.people_for_context(conn, ids)
            return total, [found[one] for one in ids]

    total, found = run(work)
    if as_json:
        emit([asdict(person) for person in found])
        return
    table = Table("name", "title", "company", "addresses", "language", "country", "state")
    for person in found:
        table.add_row(
            *map(
                escape,
                (
                    person.name,
                    person.title or "",
                    person.company.name if person.company else "",
                    "\n".join(one.address for one in person.identities),
                    person.language or "",
                    person.country or "",
                    _state(person),
                ),
            )
        )
    out.print(table)
    out.print(f"{len(found)} of {total}")


def _state(person: PersonFacts) -> str:
    if person.opted_out_at:
        return "opted out"
    if person.paused_at:
        return "paused"
    if person.not_before:
        return f"not before {person.not_before:%Y-%m-%d}"
    return ""


@app.command()
def show(
    person: Annotated[str, typer.Argument(help="An address or an id.")], as_json: AsJson = False
) -> None:
    """Show what is known of one person."""

    async def work(opened: App) -> tuple[PersonFacts, list[dict[str, Any]]]:
        async with transaction(opened.engine) as conn:
            found = await people.find_person(conn, person)
            if found is None:
                raise NotFound(f"Nobody has the address or id {person}.")
            return (await people.people_for_context(conn, [found]))[found], (
                await people.every_fact(conn, found)
            )

    found, facts = run(work)
    if as_json:
        emit(asdict(found) | {"facts": facts})
        return
    table = Table(show_header=False, box=None)
    for name, value in _shown(found):
        table.add_row(name, escape(value))
    for fact in facts:
        origin = ", ".join(str(fact[one]) for one in ("source", "found_on") if fact[one])
        table.add_row(f"fact.{fact['name']}", escape(f"{fact['value']} ({origin or 'no source'})"))
    out.print(table)


def _shown(person: PersonFacts) -> Iterator[tuple[str, str]]:
    yield "id", str(person.id)
    yield "name", person.name
    for name in ("title", "language", "country", "zone", "phone"):
        if value := getattr(person, name):
            yield name, value
    if person.company:
        yield "company", f"{person.company.name} ({person.company.domain or 'no domain'})"
    for one in person.identities:
        extra = " (suppressed)" if one.suppressed else " (bounced)" if one.state != "usable" else ""
        yield one.channel, one.address + extra
    if state := _state(person):
        yield "state", state
    for name, value in person.attributes.items():
        yield f"attributes.{name}", str(value)
