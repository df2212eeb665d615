"""`avtale audit`: who changed what, with before and after."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text
from sqlalchemy import RowMapping

from orchestrator.commands.common import emit, err, out, run
from orchestrator.db import transaction
from orchestrator.store import audit as store

if TYPE_CHECKING:
    from orchestrator.wiring import App

app = typer.Typer(help="The audit log.")


@app.command()
def audit(
    subject: Annotated[str | None, typer.Option(help="Only about this id.")] = None,
    by: Annotated[str | None, typer.Option(help="Only by this user, key or login.")] = None,
    action: Annotated[str | None, typer.Option(help="Only this action.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False,
) -> None:
    """Show who changed what, the newest first. Nothing of it can be changed."""

    async def work(opened: "App") -> Sequence[RowMapping]:
        async with transaction(opened.engine) as conn:
            return await store.lines(conn, limit=limit, subject=subject, actor=by, action=action)

    rows = run(work)
    if as_json:
        emit([dict(row) for row in rows])
        return
    if not rows:
        err.print("Nothing that fits has been changed.")
        return
    table = Table("at", "who", "did", "to", "what changed")
    for row in rows:
        who = row["actor_name"] if row["actor_kind"] == "user" else _kind(row)
        what = " ".join(filter(None, (row["subject_kind"], (row["subject_id"] or "")[-12:])))
        cells = (f"{row['at']:%Y-%m-%d %H:%M:%S}", who, row["action"], what, changes(row))
        table.add_row(*map(Text, cells))
    out.print(table)


def _kind(row: RowMapping) -> str:
    return f"{row['actor_name']} ({row['actor_kind']})"


def changes(row: RowMapping) -> str:
    """What a line changed, in a few words: `role: ops -> admin`."""
    if row["redacted_at"] is not None:
        return "(erased)"
    before: dict[str, Any] = row["before"] or {}
    after: dict[str, Any] = row["after"] or {}
    if row["before"] is not None and row["after"] is not None:
        pairs = (f"{name}: {_short(before.get(name))} → {_short(after[name])}" for name in after)
        return ", ".join(pairs)
    word = "added" if row["after"] is not None else "removed" if row["before"] else ""
    said = {name: value for name, value in (after or before).items() if value not in (None, "")}
    return f"{word} {', '.join(f'{n}: {_short(v)}' for n, v in list(said.items())[:6])}".strip()


def _short(value: Any) -> str:
    told = "nothing" if value is None else str(value)
    return told if len(told) <= 60 else told[:57] + "..."
