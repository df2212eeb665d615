"""`avtale hosts`: whom a prospect can have a call with, and when."""

from datetime import date, datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer
from rich.table import Table
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.commands import host_exceptions
from orchestrator.commands.common import emit, err, out
from orchestrator.commands.host_exceptions import in_transaction
from orchestrator.errors import BadInput
from orchestrator.flows.list_slots import list_slots
from orchestrator.flows.remove_host import remove_host
from orchestrator.flows.save_host import save_host
from orchestrator.rules.host import week_lines, weekly_of
from orchestrator.store import hosts

app = typer.Typer(
    help="Hosts: whom a prospect can have a call with, and when.", no_args_is_help=True
)
app.add_typer(host_exceptions.app, name="exception")

Name = Annotated[str, typer.Argument(help="What this host is called in sequences: sales-oslo")]
Email = Annotated[str | None, typer.Option("--email", help="Where the host's invitations go.")]
Shown = Annotated[
    str | None, typer.Option("--display-name", help="The name that prospects read: Kari Nordmann")
]
Zone = Annotated[str | None, typer.Option("--zone", help="The host's zone: Europe/Oslo")]
Hours = Annotated[
    list[str] | None,
    typer.Option("--hours", help='"mon-fri 09:00-11:30, 12:30-16:00". May be given several times.'),
]
Slot = Annotated[int | None, typer.Option("--slot", help="Minutes from one start to the next.")]
Before = Annotated[int | None, typer.Option("--buffer-before", help="Free minutes before a call.")]
After = Annotated[int | None, typer.Option("--buffer-after", help="Free minutes after a call.")]
Notice = Annotated[int | None, typer.Option("--notice", help="Minutes between booking and call.")]
Horizon = Annotated[int | None, typer.Option("--horizon", help="Days ahead that can be booked.")]
Location = Annotated[str | None, typer.Option("--location", help="A meeting link, or a place.")]
Json = Annotated[bool, typer.Option("--json", help="JSON on stdout.")]


@app.command(
    epilog='Example: avtale hosts add sales-oslo --display-name "Kari Nordmann" --email '
    'kari@example.com --zone Europe/Oslo --hours "mon-thu 09:00-11:30, 12:30-16:00" --hours '
    '"fri 09:00-12:00" --location https://meet.example.com/kari'
)
def add(
    name: Name,
    display_name: Shown = None,
    email: Email = None,
    zone: Zone = None,
    hours: Hours = None,
    slot: Slot = None,
    buffer_before: Before = None,
    buffer_after: After = None,
    notice: Notice = None,
    horizon: Horizon = None,
    location: Location = None,
) -> None:
    """Add a host. Without --hours: Monday to Friday, 09:00-11:30 and 12:30-16:00."""
    values = _values(
        display_name=display_name, email=email, zone=zone, weekly=_weekly(hours),
        slot_minutes=slot, buffer_before_minutes=buffer_before, buffer_after_minutes=buffer_after,
        notice_minutes=notice, horizon_days=horizon, location=location,
    )  # fmt: skip
    for needed in ("display_name", "email", "zone"):
        if needed not in values:
            raise BadInput(f"--{needed.replace('_', '-')} is needed. `avtale hosts add --help`")
    _save(name, values, new=True)
    err.print(f"Added. `avtale hosts slots {name}` shows what can be booked.")


@app.command(
    name="set", epilog="Example: avtale hosts set sales-oslo --notice 1440 --buffer-after 15"
)
def change(
    name: Name,
    display_name: Shown = None,
    email: Email = None,
    zone: Zone = None,
    hours: Hours = None,
    no_hours: Annotated[bool, typer.Option("--no-hours", help="Offer no times at all.")] = False,
    slot: Slot = None,
    buffer_before: Before = None,
    buffer_after: After = None,
    notice: Notice = None,
    horizon: Horizon = None,
    location: Location = None,
) -> None:
    """Change what is named; everything else stays, and so do calls that are booked."""
    values = _values(
        display_name=display_name, email=email, zone=zone,
        weekly={} if no_hours else _weekly(hours),
        slot_minutes=slot, buffer_before_minutes=buffer_before, buffer_after_minutes=buffer_after,
        notice_minutes=notice, horizon_days=horizon, location=location,
    )  # fmt: skip
    if not values:
        raise BadInput("Nothing to change: name what is to be different.")
    _save(name, values, new=False)
    err.print("Changed.")


@app.command(name="list")
def show_all(as_json: Json = False) -> None:
    """Every host with their hours and the number of calls ahead."""

    async def work(conn: AsyncConnection, now: datetime) -> list[dict[str, Any]]:
        return [dict(row) for row in await hosts.listing(conn, now=now)]

    rows = in_transaction(work)
    if as_json:
        emit(rows)
        return
    table = Table("name", "who", "zone", "hours", "calls ahead")
    for row in rows:
        who = f"{row['display_name']} <{row['email']}>"
        hours = "\n".join(week_lines(row["weekly"])) or "none"
        table.add_row(row["name"], who, row["zone"], hours, str(row["calls_ahead"]))
    out.print(table)


@app.command()
def show(name: Name) -> None:
    """One host as JSON, with the exceptions to come."""

    async def work(conn: AsyncConnection, now: datetime) -> dict[str, Any]:
        row = await hosts.by_name(conn, name)
        today = now.astimezone(ZoneInfo(row["zone"])).date()
        coming = await hosts.exception_rows(conn, row["id"], today)
        shown = [{key: each[key] for key in ("day", "hours", "note")} for each in coming]
        return dict(row) | {"exceptions": shown}

    emit(in_transaction(work))


@app.command()
def remove(name: Name) -> None:
    """Remove a host with whom no call has been opened to anybody."""

    async def work(conn: AsyncConnection, now: datetime) -> None:
        await remove_host(conn, name=name, now=now)

    in_transaction(work)
    err.print("Removed.")


@app.command()
def slots(
    name: Name,
    minutes: Annotated[int, typer.Option("--minutes", min=5, help="How long the call is.")] = 20,
    zone: Annotated[str | None, typer.Option("--zone", help="Show them on this clock.")] = None,
    as_json: Json = False,
) -> None:
    """The times that can be booked now, as the prospect's page would offer them."""

    async def work(conn: AsyncConnection, now: datetime) -> tuple[str, list[datetime]]:
        row = await hosts.by_name(conn, name)
        return row["zone"], await list_slots(conn, host_id=row["id"], minutes=minutes, now=now)

    own, starts = in_transaction(work)
    if as_json:
        emit(starts)
        return
    if not starts:
        err.print(f"No free times: `avtale hosts show {name}` says why.")
    days: dict[date, list[str]] = {}
    for start in starts:
        local = start.astimezone(_zone(zone or own))
        days.setdefault(local.date(), []).append(f"{local:%H:%M}")
    for day, times in days.items():
        out.print(f"{day:%a %Y-%m-%d}  {'  '.join(times)}", soft_wrap=True)


def _save(name: str, values: dict[str, Any], *, new: bool) -> None:
    async def work(conn: AsyncConnection, now: datetime) -> None:
        await save_host(conn, name=name, values=values, now=now, new=new)

    in_transaction(work)


def _values(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _weekly(lines: list[str] | None) -> dict[str, list[str]] | None:
    try:
        return weekly_of(lines) if lines else None
    except ValueError as error:
        raise BadInput(f"--hours: {error}.") from None


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise BadInput(f"`{name}` is no zone: write Europe/Oslo.") from None
