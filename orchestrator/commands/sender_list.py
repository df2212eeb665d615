"""`avtale senders list` and `show`: what there is, without its secrets."""

from typing import Any

from rich.table import Table

from orchestrator.commands.common import emit, out, run
from orchestrator.commands.sender_options import Json, Name
from orchestrator.db import transaction
from orchestrator.store import senders
from orchestrator.wiring import App


def show_all(as_json: Json = False) -> None:
    """Every sender with its pace and its state."""

    async def work(parts: App) -> list[dict[str, Any]]:
        async with transaction(parts.engine) as conn:
            return [dict(row) for row in await senders.listing(conn)]

    rows = run(work)
    if as_json:
        emit(rows)
        return
    table = Table("name", "channel", "address", "today", "hours", "state")
    for row in rows:
        used = row["used"] if row["day"] else 0
        hours = f"{row['hours']['days']} {row['hours']['hours']} {row['zone']}"
        table.add_row(
            *(row["name"], row["channel"], row["address"]),
            *(f"{used} of {row['daily_cap']}", hours, _state(row)),
        )
    out.print(table)


def show(name: Name) -> None:
    """One sender as JSON. Passwords are never shown: `secrets` says whether there are any."""

    async def work(parts: App) -> dict[str, Any]:
        async with transaction(parts.engine) as conn:
            await senders.by_name(conn, name)  # the error for a name that is not there
            return next(dict(row) for row in await senders.listing(conn) if row["name"] == name)

    emit(run(work))


def _state(row: dict[str, Any]) -> str:
    if row["paused_at"]:
        return f"paused: {row['pause_reason'] or 'by hand'}"
    if row["parked_until"]:
        return f"parked until {row['parked_until']:%H:%M} UTC: {row['park_reason'] or ''}"
    return "ready"
