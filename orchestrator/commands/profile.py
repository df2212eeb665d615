"""`avtale profile send`: where the time of a send goes, on this machine."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from orchestrator.commands.common import emit, err, guarded, out

if TYPE_CHECKING:
    from orchestrator.sandbox.profiling import Profile

app = typer.Typer(help="See where the time goes.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """See where the time goes."""


@app.command()
def send(
    messages: Annotated[
        int, typer.Option(min=20, max=200_000, help="How many mails are sent.")
    ] = 2_000,
    connections: Annotated[
        int, typer.Option(min=1, max=200, help="Open connections to the mail server.")
    ] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")] = False,
) -> None:
    """Send made-up mails to the sandbox's mail server, and print what each stage took.

    Nothing of your installation is touched: it starts servers of its own and throws them away.

    For example: avtale profile send --messages 5000
    """
    from orchestrator.sandbox import profiling  # a second of imports for this command only

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task("Starting", total=messages)

        def say(what: str, done: int) -> None:
            bar.update(task, description=what, completed=done)

        found = guarded(lambda: profiling.profile_send(messages, connections, say), fast=True)
    if as_json:
        emit(asdict(found))
        return
    _show(found)


def _show(found: "Profile") -> None:
    table = Table("stage", "what", box=None)
    for name in ("messages", "seconds", "us a message", "share"):
        table.add_column(name, justify="right")
    for row in found.stages:
        table.add_row(
            *(row.stage, row.about, f"{row.messages:,}", f"{row.seconds:.2f}"),
            *(f"{row.us:,.0f}", f"{row.share:.0%}"),
        )
    out.print(table)
    out.print(
        f"{found.messages:,} messages in {found.seconds:.2f} s: {found.per_second:,.0f} a second"
        f" over {found.connections} connections, {found.cpu_us:,.0f} us of Python's CPU each."
    )
    out.print(
        "Stages wait for PostgreSQL and for the mail server, and many messages are under way at "
        "once: together they take longer than the run.",
        soft_wrap=True,
    )
