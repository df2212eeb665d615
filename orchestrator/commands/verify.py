"""`avtale verify`: does the state agree with the facts?"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text
from sqlalchemy.exc import DBAPIError

from orchestrator.clock import database_now
from orchestrator.commands.common import emit, err, fail, out, run
from orchestrator.db import transaction
from orchestrator.errors import Unavailable
from orchestrator.flows.verify import Report
from orchestrator.flows.verify import verify as look
from orchestrator.rules.verify import CHECKS

if TYPE_CHECKING:
    from orchestrator.wiring import App

app = typer.Typer(help="Check that the state agrees with the facts.")


@app.command()
def verify(
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False,
    since: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M"],
            metavar="YYYY-MM-DD[THH:MM]",
            help="Only rows that were made since then (UTC); history is read whole.",
        ),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--check", metavar="NAME", help="Only this check; repeatable. A wrong name lists them."
        ),
    ] = None,
    limit: Annotated[
        int, typer.Option(min=1, max=10_000, help="Differences shown for each check.")
    ] = 100,
    settle: Annotated[
        float,
        typer.Option(min=0, max=600, help="Seconds until a difference is looked at again."),
    ] = 5.0,
) -> None:
    """Recompute what the state must be, and report every difference.

    Safe while workers run: it reads, in short statements, and looks twice before it reports.
    Exit code 0: clean; 1: differences; 2: it could not look.

    Example: `avtale verify --since 2026-11-01`
    """

    async def work(opened: "App") -> Report:
        async with transaction(opened.engine) as conn:
            now = await database_now(conn)
        return await look(
            opened,
            now,
            since=since.replace(tzinfo=UTC) if since else None,
            only=only or (),
            most=limit,
            settle_seconds=settle,
            progress=_progress,
        )

    try:
        report = run(work)
    except DBAPIError as error:  # whatever kept it from looking is exit code 2, never 1
        fail(Unavailable(f"Verify could not look: {error.orig}"))
    if as_json:
        emit(_json(report))
    else:
        _show(report)
    if not report.clean:
        raise typer.Exit(1)


def _progress(table: str, done: int, about: int) -> None:
    if err.is_terminal and done % 10_000 == 0:
        of = f" of about {about:,}" if about > done else ""
        err.print(f"{table}: {done:,}{of}", style="dim")


def _json(report: Report) -> dict[str, object]:
    return {
        "clean": report.clean,
        "checked": report.checked,
        "seconds": report.seconds,
        "vanished": report.vanished,
        "more": report.more,
        "differences": [
            {
                "check": one.check,
                "table": one.of,
                "id": one.id,
                "prospect_id": one.prospect_id,
                "found": one.found,
                "means": CHECKS[one.check].means,
                "act": CHECKS[one.check].act,
            }
            for one in report.differences
        ],
    }


def _show(report: Report) -> None:
    rows = sum(report.checked.values())
    if report.clean:
        err.print(f"Clean: {rows:,} rows in {report.seconds:.1f} s.")
        return
    for name in dict.fromkeys(one.check for one in report.differences):
        check = CHECKS[name]
        of = [one for one in report.differences if one.check == name]
        out.print(Text(f"{name}: {check.means}", style="bold"))
        out.print(Text(f"  {check.act}"))
        for one in of:
            found = ", ".join(f"{key} {value}" for key, value in one.found.items())
            who = f"  person {one.prospect_id}" if one.prospect_id else ""
            out.print(Text(f"  {one.of} {one.id}{who}  {found}".rstrip(), style="dim"))
        if more := report.more.get(name):
            out.print(Text(f"  and {more:,} more", style="dim"))
    err.print(f"Differences: {len(report.differences):,}, in {rows:,} rows.")
