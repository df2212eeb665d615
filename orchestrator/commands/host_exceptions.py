"""`avtale hosts exception`: other hours on one date."""

from collections.abc import Awaitable, Callable
from datetime import date, datetime
from typing import Annotated, TypeVar

import typer
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.clock import database_now
from orchestrator.commands.common import err, run
from orchestrator.db import transaction
from orchestrator.errors import BadInput
from orchestrator.flows.set_host_exception import set_host_exception
from orchestrator.wiring import App

T = TypeVar("T")

app = typer.Typer(help="Other hours on one date.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The host: sales-oslo")]


@app.command(
    name="add",
    epilog='Examples: avtale hosts exception add sales-oslo 2026-12-23 --note "away"; '
    'avtale hosts exception add sales-oslo 2026-12-28 --hours "10:00-12:00, 13:00-14:00"',
)
def add_exception(
    name: Name,
    day: Annotated[str, typer.Argument(help="2026-12-23", metavar="DATE")],
    hours: Annotated[
        str, typer.Option("--hours", help="The hours of that date. Left out: a day off.")
    ] = "",
    note: Annotated[str, typer.Option("--note", help="For colleagues; nobody else reads it.")] = "",
) -> None:
    """Give a date other hours, or none. Calls that are booked stay."""
    spans = [span.strip() for span in hours.split(",") if span.strip()]
    _except(name, day, spans, note)
    err.print(f"{day}: {', '.join(spans) or 'a day off'}.")


@app.command(name="remove")
def remove_exception(
    name: Name, day: Annotated[str, typer.Argument(help="2026-12-23", metavar="DATE")]
) -> None:
    """Let a date have its ordinary hours again."""
    gone = _except(name, day, None, "")
    err.print("Removed." if gone else "That date has its ordinary hours.")


def _except(name: str, day: str, hours: list[str] | None, note: str) -> bool:
    try:
        when = date.fromisoformat(day)
    except ValueError:
        raise BadInput(f"`{day}` is no date: write 2026-12-23.") from None

    async def work(conn: AsyncConnection, now: datetime) -> bool:
        return await set_host_exception(conn, name=name, day=when, hours=hours, note=note, now=now)

    return in_transaction(work)


def in_transaction(work: Callable[[AsyncConnection, datetime], Awaitable[T]]) -> T:
    """Await `work` in one transaction, with the time that its database says it is."""

    async def opened(parts: App) -> T:
        async with transaction(parts.engine) as conn:
            return await work(conn, await database_now(conn))

    return run(opened)
