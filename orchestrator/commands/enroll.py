"""`avtale enroll`: put people into a sequence, or see first what that would do."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from channels.base import Channel
from orchestrator import clock
from orchestrator.commands.common import emit, err, out, run
from orchestrator.commands.filters import parse_where
from orchestrator.db import transaction
from orchestrator.errors import BadInput
from orchestrator.flows.enroll import EnrollReport, Held, enroll
from orchestrator.flows.enrolling import Selection
from orchestrator.flows.preview_enrollment import FirstMessage, Preview, preview_enrollment
from orchestrator.people_file import PeopleFile
from orchestrator.rules import addresses
from orchestrator.rules.enrolling import REASONS
from orchestrator.store.people import ids_by_address
from orchestrator.wiring import App

app = typer.Typer()

_CHUNK = 5000  # addresses looked up at once


def read_addresses(
    path: Path, channels: Mapping[str, Channel]
) -> tuple[list[tuple[str, str]], list[str]]:
    """The (channel, address) of each person of a file, and what could not be read: a CSV with a
    column of addresses, or one email address a line. Raises BadInput."""
    if not path.is_file():
        raise BadInput(f"There is no file {path}.")
    found: list[tuple[str, str]] = []
    bad: list[str] = []
    try:
        with PeopleFile(path, {}) as file:
            canonical = {name: channel.canonical for name, channel in channels.items()}
            for batch in file.batches(canonical):
                found += [row.identities[0] for row in batch.rows()]
                bad += [f"line {one.line}: {one.why()}" for one in batch.rejects]
        return found, bad
    except BadInput:
        pass  # no header: then it is a plain list
    for number, line in enumerate(path.read_text("utf-8-sig", "replace").splitlines(), 1):
        if line.strip():
            try:
                found.append(("email", addresses.email(line.strip())))
            except ValueError as error:
                bad.append(f"line {number}: {error}")
    return found, bad


async def _select(
    opened: App, where: str | None, file: Path | None, ids: list[UUID]
) -> tuple[Selection, list[str]]:
    """Who is meant, and what of the file is nobody."""
    if sum(map(bool, (where, file, ids))) != 1:
        raise BadInput("Say who is meant, in one way: --where, --file or --id.")
    if file is None:
        return (Selection(ids=tuple(ids)) if ids else Selection(parse_where(where))), []
    wanted, unknown = read_addresses(file, opened.channels)
    known: dict[tuple[str, str], UUID] = {}
    async with transaction(opened.engine) as conn:
        for start in range(0, len(wanted), _CHUNK):
            known |= await ids_by_address(conn, wanted[start : start + _CHUNK])
    unknown += [f"{one[1]}: nobody has this address" for one in wanted if one not in known]
    return Selection(ids=tuple(set(known.values()))), unknown


@app.command("enroll")
def command(
    sequence: Annotated[str, typer.Argument(help="Its newest version is taken.")],
    where: Annotated[
        str | None, typer.Option("--where", help="For example: country = NO and fact.pain exists")
    ] = None,
    file: Annotated[Path | None, typer.Option(help="A CSV or a list of addresses.")] = None,
    ids: Annotated[list[UUID] | None, typer.Option("--id", help="A prospect; repeatable.")] = None,
    sender: Annotated[str | None, typer.Option(help="Who writes; else they take turns.")] = None,
    not_before: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"], metavar="YYYY-MM-DD", help="Nothing leaves before this day."
        ),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Enroll at most so many.")] = None,
    dry_run: Annotated[bool, typer.Option(help="Show what would happen; write nothing.")] = False,
    show: Annotated[int, typer.Option(min=0, help="First messages that a dry run shows.")] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")] = False,
) -> None:
    """Enroll people in a sequence. Doing it twice enrolls once; --dry-run shows it beforehand."""
    options: dict[str, Any] = {
        "sequence": sequence,
        "sender": sender,
        "limit": limit,
        "not_before": not_before and not_before.replace(tzinfo=UTC),
    }

    async def work(opened: App) -> tuple[EnrollReport | Preview, list[str]]:
        selection, unknown = await _select(opened, where, file, ids or [])
        async with transaction(opened.engine) as conn:
            options["now"] = await clock.database_now(conn)
        if dry_run:
            made = await preview_enrollment(opened, selection=selection, show=show, **options)
            return made, unknown
        done = await enroll(opened, selection=selection, **options)
        opened.ring("plan")
        return done, unknown

    report, unknown = run(work)
    if as_json:
        emit(_plain(report) | {"unknown": unknown})
        return
    for line in unknown[:10]:
        err.print(f"[yellow]{escape(line)}[/yellow]", soft_wrap=True)
    if len(unknown) > 10:
        err.print(f"[yellow]... and {len(unknown) - 10} more that nobody has.[/yellow]")
    if isinstance(report, Preview):
        _show_preview(report)
    else:
        _show_done(report)


def _plain(report: EnrollReport | Preview) -> dict[str, Any]:
    value = asdict(report)
    if isinstance(report, Preview):
        value["load"] = {
            name: {day.isoformat(): count for day, count in days.items()}
            for name, days in report.load.items()
        }
    return value


def _show_done(report: EnrollReport) -> None:
    out.print(
        f"Enrolled {report.enrolled} of {report.considered} in {escape(report.sequence)}"
        f" (version {report.version})."
    )
    for name, count in sorted(report.senders.items()):
        out.print(f"  {escape(name)} writes to {count}")
    _show_waiting(report.waiting, "wait")
    _show_held(report.held, report.held_people)


def _show_preview(preview: Preview) -> None:
    out.print(
        f"Would enroll {preview.would_enroll} of {preview.considered} in"
        f" {escape(preview.sequence)} (version {preview.version}). Nothing was written."
    )
    _show_waiting(preview.waiting, "would wait")
    _show_held(preview.held, preview.held_people)
    _show_load(preview.load, preview.later)
    for message in preview.messages:
        out.print(_panel(message))


def _show_waiting(waiting: dict[str, int], verb: str) -> None:
    for name, count in sorted(waiting.items()):
        out.print(f"  {count} {verb} as a task: {escape(name)} is missing")


def _show_held(held: dict[str, int], some: list[Held]) -> None:
    if not held:
        return
    table = Table("held back", "why", "for example")
    for reason, count in sorted(held.items(), key=lambda one: -one[1]):
        example = next((str(one.prospect_id) for one in some if one.reason == reason), "")
        table.add_row(str(count), REASONS[reason], example)
    out.print(table)


def _show_load(load: dict[str, dict[date, int]], later: int) -> None:
    if not load:
        return
    days = sorted({day for counts in load.values() for day in counts})
    table = Table("first messages", *map(escape, load))
    for day in days[:20]:
        table.add_row(f"{day:%a %Y-%m-%d}", *(str(load[one].get(day, 0) or "") for one in load))
    out.print(table)
    if len(days) > 20:
        out.print(f"... until {days[-1]:%Y-%m-%d}")
    if later:
        out.print(f"{later} leave later than 45 days from now: more senders or a higher cap help.")


def _panel(message: FirstMessage) -> Panel:
    when = f"{message.leaves_at:%a %Y-%m-%d %H:%M} UTC" if message.leaves_at else "later"
    if message.missing:
        when = f"waits as a task: {', '.join(message.missing)} missing"
    head = f"To: {message.name} <{message.address}>, {message.company or 'no company'}\n"
    head += f"From: {message.sender}   Leaves: {when}   Language: {message.language}\n"
    body = f"Subject: {message.subject}\n\n{message.text}" if message.text else message.fault
    return Panel(escape(f"{head}\n{body}"), title_align="left")
