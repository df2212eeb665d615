"""`avtale person`: stop, pause, resume or snooze one prospect."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.clock import database_now
from orchestrator.commands.common import err, run
from orchestrator.db import transaction
from orchestrator.flows.find_person import find_person
from orchestrator.flows.pause_person import pause_person
from orchestrator.flows.resume_person import resume_person
from orchestrator.flows.snooze_person import snooze_person
from orchestrator.flows.stop_person import stop_person
from orchestrator.rules import gate
from orchestrator.store import threads

if TYPE_CHECKING:
    from orchestrator.wiring import App

app = typer.Typer(help="One prospect: stop, pause, resume, snooze.", no_args_is_help=True)

_Person = Annotated[str, typer.Argument(help="An address or an id.")]
_Verb = Callable[[AsyncConnection, UUID, datetime], Awaitable[object]]


def _do(person: str, verb: _Verb) -> object:
    async def work(opened: "App") -> object:
        async with transaction(opened.engine) as conn:
            who = await find_person(conn, person)
            done = await verb(conn, who, await database_now(conn))
        opened.ring("plan")
        return done

    return run(work)


@app.command()
def stop(
    person: _Person,
    opt_out: Annotated[
        bool, typer.Option("--opt-out", help="They want nothing from us, ever again.")
    ] = False,
    company: Annotated[
        bool, typer.Option("--company", help="Stop their colleagues' sequences, too.")
    ] = False,
) -> None:
    """End everything that runs for a person."""

    async def verb(conn: AsyncConnection, who: UUID, now: datetime) -> None:
        reason = "opt_out" if opt_out else "manual"
        await stop_person(conn, prospect_id=who, reason=reason, now=now, whole_company=company)

    _do(person, verb)
    err.print("Opted out of everything, for good." if opt_out else "Stopped.")


@app.command()
def pause(person: _Person) -> None:
    """Let nothing leave until `resume`."""

    async def verb(conn: AsyncConnection, who: UUID, now: datetime) -> bool:
        return await pause_person(conn, prospect_id=who, now=now)

    err.print("Paused." if _do(person, verb) else "Paused already.")


@app.command()
def resume(person: _Person) -> None:
    """Let a paused person's sequences go on."""

    async def verb(conn: AsyncConnection, who: UUID, now: datetime) -> bool:
        return await resume_person(conn, prospect_id=who, now=now)

    err.print("Resumed." if _do(person, verb) else "Not paused.")


@app.command()
def snooze(
    person: _Person,
    until: Annotated[
        datetime,
        typer.Option(
            formats=["%Y-%m-%d"], metavar="YYYY-MM-DD", help="Nothing leaves before this day."
        ),
    ],
) -> None:
    """Let nothing leave before a day, in the person's own zone."""

    async def verb(conn: AsyncConnection, who: UUID, now: datetime) -> None:
        at = gate.start_of_day(until.date(), await threads.zone_of(conn, who))
        await snooze_person(conn, prospect_id=who, until=at, now=now)

    _do(person, verb)
    err.print(f"Nothing leaves before {until:%Y-%m-%d}.")
