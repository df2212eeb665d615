"""`avtale why PERSON`: the story of one prospect."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from orchestrator.clock import database_now
from orchestrator.commands.common import emit, out, run
from orchestrator.db import transaction
from orchestrator.flows.tell_why import Story, tell_why
from orchestrator.rules.why import Line, when

if TYPE_CHECKING:
    from orchestrator.wiring import App

app = typer.Typer(help="Why did this happen, and why did it not?")


@app.command()
def why(
    person: Annotated[str, typer.Argument(help="An id, an address, or a part of a name.")],
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False,
) -> None:
    """Tell what was sent and why then, what was held back and why, and what comes next."""

    async def work(opened: "App") -> tuple[Story, datetime]:
        async with transaction(opened.engine) as conn:
            now = await database_now(conn)
            return await tell_why(conn, person=person, now=now), now

    story, now = run(work)
    if as_json:
        emit(story)
        return
    out.print(Text(story.name, style="bold"), Text(f"  {story.prospect_id}", style="dim"), sep="")
    _print("What happened", story.past, story.zone)
    _print(f"Now, {when(now, story.zone)}", story.now, story.zone)
    _print("Next", story.next, story.zone)


def _print(title: str, lines: list[Line], zone: str | None) -> None:
    """A heading and its lines. Text, never markup: what people are called is not ours to format."""
    out.print(Text(f"\n{title}", style="bold"))
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    for line in lines:
        said = Text(line.text)
        if line.reason:
            said.append(f" ({line.reason})", style="dim italic")
        table.add_row(when(line.at, zone) if line.at else "", said)
    if not lines:
        table.add_row("", Text("nothing", style="dim"))
    out.print(table)
