"""`avtale tasks` about messages in doubt: all that is known, and many decided at once."""

import getpass
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal
from uuid import UUID

import typer
from rich.table import Table
from rich.text import Text
from sqlalchemy import RowMapping

from orchestrator.clock import database_now
from orchestrator.commands.common import emit, err, out, run
from orchestrator.db import transaction
from orchestrator.flows.decide_doubts import Decided, decide_doubts
from orchestrator.store import doubts

if TYPE_CHECKING:
    from orchestrator.wiring import App

_Day = Annotated[
    datetime | None,
    typer.Option(
        formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"],
        metavar="YYYY-MM-DD[THH:MM]",
        help="Handed over then (UTC).",
    ),
]


def who_decides() -> str:
    """Who sits at this command line, for the history."""
    try:
        return f"cli: {getpass.getuser()}"
    except (KeyError, OSError):  # no such user, as in a container
        return "cli"


def print_doubt(known: Mapping[str, Any]) -> None:
    """What `lay_out_doubt` found, for people."""
    at = f"{known['handed_at']:%Y-%m-%d %H:%M:%S %Z}" if known["handed_at"] else "never"
    alive = "alive" if known["worker_alive"] else "not alive any more"
    rows = [
        ("message", f"{known['step']} of {known['sequence']}, by {known['channel']}"),
        ("to", known["recipient"] or ""),
        ("subject", known["subject"] or ""),
        ("handed over", f"{at}, attempt {known['attempt']}"),
        ("by", f"sender {known['sender']}, worker {known['worker'] or 'unknown'} ({alive})"),
        ("how far", known["phase"]),
        ("Message-ID", known["rfc_message_id"]),
    ]
    for name, value in rows:
        out.print(Text(f"{name:12}{value}"), soft_wrap=True)
    out.print(Text("\nlooked for a sign that it left", style="bold"))
    for one in known["looked"]:
        out.print(Text(f"  {one['where']}: {one['found']}"), soft_wrap=True)
    out.print(Text("\nwhat you can say", style="bold"))
    for one in known["choices"]:
        words = f"  {one['outcome']:10} {one['does']} {one['risks']}"
        out.print(Text(words), soft_wrap=True)
        if one["barred"]:
            out.print(Text(f"  {'':10} Not now: {one['barred']}.", style="yellow"), soft_wrap=True)
    out.print()


def decide(
    outcome: Annotated[
        Literal["sent", "retry", "abandoned"],
        typer.Option(help="It left; let it leave again; it never leaves."),
    ],
    sender: Annotated[str | None, typer.Option(help="Only what this sender handed over.")] = None,
    sequence: Annotated[str | None, typer.Option(help="Only of this sequence.")] = None,
    after: _Day = None,
    before: _Day = None,
    task: Annotated[
        list[UUID] | None, typer.Option(help="Only this task; may be repeated.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without it, only show what.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False,
) -> None:
    """Decide about many messages in doubt at once: only shows which, without --yes.

    Example: `avtale tasks decide --outcome sent --sender kari --yes`
    """

    async def work(opened: "App") -> tuple[Sequence[RowMapping], list[Decided]]:
        async with transaction(opened.engine) as conn:
            now = await database_now(conn)
            rows = await doubts.open_doubts(
                conn,
                ids=task or None,
                sender=sender,
                sequence=sequence,
                after=after and after.replace(tzinfo=UTC),
                before=before and before.replace(tzinfo=UTC),
            )
        if not yes:
            return rows, []
        ids = [row["task_id"] for row in rows]
        return rows, await decide_doubts(opened, ids, outcome=outcome, by=who_decides(), now=now)

    rows, done = run(work)
    if as_json:
        emit({"preview": not yes, "found": rows, "decided": done})
        return
    _table(rows, {one.task_id: one.left_alone for one in done})
    if not rows:
        err.print("No message is in doubt here.")
    elif not yes:
        err.print(f"{len(rows)} messages would be `{outcome}`. Nothing is changed: add --yes.")
    else:
        made = sum(one.left_alone is None for one in done)
        err.print(f"{made} of {len(rows)} messages are `{outcome}` now.")


def _table(rows: Sequence[RowMapping], left_alone: Mapping[UUID, str | None]) -> None:
    if not rows:
        return
    table = Table()
    table.add_column("task", overflow="fold", min_width=36)
    for name in ("handed over", "sender", "message", "to", "how far"):
        table.add_column(name, overflow="fold")
    for row in rows:
        said = left_alone.get(row["task_id"]) or row["last_detail"] or ""
        table.add_row(
            str(row["task_id"]),
            f"{row['handed_at']:%Y-%m-%d %H:%M}",
            Text(row["sender"]),
            Text(f"{row['step']} of {row['sequence']}"),
            Text(row["recipient"] or ""),
            Text(said),
        )
    out.print(table)
