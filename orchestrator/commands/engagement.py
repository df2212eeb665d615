"""`avtale engagement`: what prospects did, why it counts for what, and reading it all again."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer
from rich.table import Table
from rich.text import Text
from sqlalchemy import RowMapping

from orchestrator.clock import database_now
from orchestrator.commands.common import emit, err, fail, out, run
from orchestrator.db import transaction
from orchestrator.errors import BadInput
from orchestrator.flows.explain_engagement import Explanation, explain_engagement
from orchestrator.flows.find_person import find_person
from orchestrator.flows.reread import Difference, reread
from orchestrator.store import engagements

if TYPE_CHECKING:
    from orchestrator.wiring import App

app = typer.Typer(help="What prospects did, and what it counts for.", no_args_is_help=True)
_Json = Annotated[bool, typer.Option("--json", help="Write JSON.")]


@app.command(name="list")
def list_(
    person: Annotated[str, typer.Argument(help="An address or an id.")], as_json: _Json = False
) -> None:
    """Show what one person did, oldest first; what a later verdict replaced is marked.

    Example: `avtale engagement list ola@acme.example`
    """

    async def work(opened: "App") -> Sequence[RowMapping]:
        async with transaction(opened.engine) as conn:
            return await engagements.of_prospect(conn, await find_person(conn, person))

    rows = run(work)
    if as_json:
        emit([dict(row) for row in rows])
        return
    if not rows:
        err.print("Nothing has come from this person yet.")
        return
    revised = {row["revises"] for row in rows}
    table = Table("when", "what", "grade", "means", "why", "id")
    for row in rows:
        grade = row["grade"] + (" (revised)" if row["id"] in revised else "")
        why = ", ".join(row["reasons"])
        cells = (f"{row['happened_at']:%Y-%m-%d %H:%M}", row["kind"], grade, row["meaning"] or "")
        table.add_row(*(Text(cell) for cell in (*cells, why, str(row["id"]))))
    out.print(table)


@app.command()
def explain(
    engagement: Annotated[str, typer.Argument(help="Its id: `avtale engagement list PERSON`.")],
    as_json: _Json = False,
) -> None:
    """Tell what was seen, which rules decided with which facts, and what it led to."""
    try:
        asked = UUID(engagement)
    except ValueError:
        fail(BadInput(f"`{engagement}` is no id: `avtale engagement list PERSON` shows them."))

    async def work(opened: "App") -> Explanation:
        async with transaction(opened.engine) as conn:
            return await explain_engagement(conn, asked)

    found = run(work)
    if as_json:
        emit(found)
        return
    _lines("Seen", _pairs(found.seen or {"nothing": "it came by no event"}))
    for one in found.verdicts:
        stands = "stands" if one.stands else "was revised"
        mark = " (this one)" if one.id == found.asked else ""
        means = f", read as {one.meaning}" if one.meaning else ""
        title = f"{one.recorded_at:%Y-%m-%d %H:%M} {one.kind}: {one.grade}{means}; {stands}{mark}"
        _lines(title, one.because or ["nothing was noted"])
    told = [f"{one.pop('at'):%Y-%m-%d %H:%M} " + ", ".join(_pairs(one)) for one in found.led_to]
    if found.unlock is not None:
        used = "booked" if found.unlock["booked"] else "not used"
        told.append(f"a call was opened ({used}): unlock {found.unlock['id']}")
    told += [f"task {one['kind']}, {one['state']}: {one['title']}" for one in found.tasks]
    _lines("Led to", told or ["nothing"])


def _pairs(values: dict[str, Any]) -> list[str]:
    return [f"{name}: {value}" for name, value in values.items() if value not in (None, "", [], ())]


def _lines(title: str, lines: Sequence[str]) -> None:
    """Text, never markup: what a mail says is not ours to format."""
    out.print(Text(title, style="bold"))
    for line in lines:
        out.print(Text("  " + line), soft_wrap=True)


@app.command(name="reread")
def reread_(
    apply: Annotated[bool, typer.Option("--apply", help="Change what differs.")] = False,
    person: Annotated[str | None, typer.Option(help="Only of this person.")] = None,
    since: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], metavar="YYYY-MM-DD", help="What came since (UTC)."),
    ] = None,
    as_json: _Json = False,
) -> None:
    """Read everything that is stored with the reader of today, and show what would change.

    Without --apply nothing changes. With it, each change is a new engagement that names the one it
    revises. Nothing is sent again. What now reads as a stop or a no is heeded; what now reads as
    interest, and a call that was opened by what no longer does, waits for one of us as a task.
    """

    async def work(opened: "App") -> tuple[int, list[Difference]]:
        async with transaction(opened.engine) as conn:
            now = await database_now(conn)
            who = await find_person(conn, person) if person else None
        begin = since.replace(tzinfo=UTC) if since else None
        return await reread(opened, now, since=begin, prospect_id=who, apply=apply)

    count, found = run(work)
    if as_json:
        emit({"read": count, "applied": apply, "differences": found})
        return
    for (was, now, does), number in Counter((o.was, o.now, o.does) for o in found).most_common():
        out.print(Text(f"{number:6}  {was}  ->  {now}  [{_DOES[does]}]"))
    table = Table("event", "person", "was", "is" if apply else "would be", "why")
    for one in found[:50]:
        cells = (str(one.event), str(one.prospect), one.was, one.now, ", ".join(one.reasons)[:80])
        table.add_row(*(Text(cell) for cell in cells))
    if found:
        out.print(table)
    more = ", of which the first 50 are shown (--json has all)" if len(found) > 50 else ""
    done = "changed" if apply else "would change: --apply changes them"
    told = f"{len(found)} {done}{more}" if found else "none of them reads otherwise today"
    err.print(f"{count} events read, {told}.")


_DOES = {
    "note": "nothing moves",
    "act": "heeded as if it came now",
    "ask": "held, and a task for one of us",
    "doubt": "the open call becomes a task for one of us",
}
