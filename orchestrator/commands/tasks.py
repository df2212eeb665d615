"""`avtale tasks`: work for a person."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer
from rich.table import Table
from rich.text import Text
from sqlalchemy import RowMapping

from orchestrator.clock import database_now
from orchestrator.commands.common import emit, err, out, run
from orchestrator.commands.doubts import decide, print_doubt, who_decides
from orchestrator.db import transaction
from orchestrator.errors import NotFound
from orchestrator.flows.close_task import close_task
from orchestrator.flows.lay_out_task import lay_out_task
from orchestrator.store import tasks

if TYPE_CHECKING:
    from orchestrator.wiring import App

app = typer.Typer(help="What waits for a person.", no_args_is_help=True)
app.command()(decide)

_Id = Annotated[UUID, typer.Argument(help="The task's id.")]
_Json = Annotated[bool, typer.Option("--json", help="Write JSON.")]


@app.command(name="list")
def list_(
    kind: Annotated[str | None, typer.Option(help="Only of this kind.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 200,
    as_json: _Json = False,
) -> None:
    """Show what is open, oldest first."""

    async def work(opened: "App") -> Sequence[RowMapping]:
        async with transaction(opened.engine) as conn:
            return await tasks.open_tasks(conn, kind=kind, limit=limit)

    rows = run(work)
    if as_json:
        emit(rows)
        return
    if not rows:
        err.print(f"No task of the kind {kind} is open." if kind else "Nothing waits for you.")
        return
    table = Table()
    table.add_column("id", overflow="fold", min_width=36)  # to be copied: never cut
    for name in ("since", "who", "what"):
        table.add_column(name, overflow="fold")
    for row in rows:
        since = f"{row['created_at']:%Y-%m-%d %H:%M}"
        table.add_row(str(row["id"]), since, Text(row["who"] or ""), Text(row["title"]))
    out.print(table)


@app.command()
def show(task_id: _Id, as_json: _Json = False) -> None:
    """Show one task with what it is about: the answer, or all that is known of a message in doubt;
    and how it can end.

    Example: `avtale tasks show 01a208d9-0f3d-755d-be4c-bf1a1437bb7e`
    """

    async def work(opened: "App") -> dict[str, Any]:
        async with transaction(opened.engine) as conn:
            found = await lay_out_task(opened, conn, task_id)
        if found is None:
            raise NotFound("There is no such task: `avtale tasks list` shows what is open.")
        return found

    task = run(work)
    if as_json:
        emit(task)
        return
    out.print(Text(task["title"], style="bold"))
    for name in ("kind", "state", "prospect_id", "step"):
        out.print(Text(f"{name:12}{task[name] or ''}"))
    if task["prospect_id"]:
        out.print(Text(f"{'more':12}avtale why {task['prospect_id']}"))
    if task["doubt"]:
        print_doubt(task["doubt"])
    if task["answer"]:
        out.print(Text(f"\n{task['answer']['subject']}\n\n{task['answer']['text']}\n"))
    out.print(Text(f"avtale tasks done {task_id} --outcome {'|'.join(task['outcomes'])}"))


@app.command()
def done(
    task_id: _Id,
    outcome: Annotated[str, typer.Option(help="How it ended; `avtale tasks show` lists them.")],
    until: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"], metavar="YYYY-MM-DD", help="With not_now: the day to come back."
        ),
    ] = None,
) -> None:
    """Close a task; the sequence goes on as the outcome says.

    Example: `avtale tasks done 01a208d9-0f3d-755d-be4c-bf1a1437bb7e --outcome continue`
    """

    async def work(opened: "App") -> None:
        async with transaction(opened.engine) as conn:
            await close_task(
                conn,
                opened.keys,
                task_id=task_id,
                outcome=outcome,
                now=await database_now(conn),
                by=who_decides(),
                until=until.date() if until else None,
            )
        opened.ring("plan")

    run(work)
    err.print("Done.")
