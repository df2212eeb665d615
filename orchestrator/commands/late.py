"""`avtale late`: what could have left long ago, or may have left after a backup was taken."""

from collections.abc import Sequence
from dataclasses import astuple
from typing import TYPE_CHECKING, Annotated, Any, Literal
from uuid import UUID

import typer
from rich.table import Table
from sqlalchemy import RowMapping

from orchestrator.clock import database_now
from orchestrator.commands.common import emit, err, fail, out, run
from orchestrator.commands.doubts import who_decides
from orchestrator.db import transaction
from orchestrator.errors import BadInput
from orchestrator.flows.decide_many import Decided, Outcome, decide_many
from orchestrator.store import late
from orchestrator.store.late import Chosen

if TYPE_CHECKING:
    from orchestrator.wiring import App

app = typer.Typer(invoke_without_command=True)

_SHOWN = 10
_NONE = "Nothing that is late fits this: `avtale late` shows what there is."
_Json = Annotated[bool, typer.Option("--json", help="Write JSON.")]
_Sequence = Annotated[str | None, typer.Option(help="Only of this sequence.")]
_Sender = Annotated[str | None, typer.Option(help="Only of this sender.")]
_Reason = Annotated[
    Literal["late", "restored"] | None,
    typer.Option(help="Only what is late after an outage (late), or after a restore (restored)."),
]
_Limit = Annotated[int | None, typer.Option(min=1, help="At most so many.")]
_Yes = Annotated[bool, typer.Option("--yes", help="Do it; without, only show whom it is about.")]


@app.callback()
def groups(
    ctx: typer.Context,
    sequence: _Sequence = None,
    sender: _Sender = None,
    reason: _Reason = None,
    as_json: _Json = False,
) -> None:
    """Decide about what is late: it waits for a person.

    Without a command it shows what waits, by sequence and sender. Then decide, many at once:

    send: it has not left, and may leave now, inside its hours.

    skip: not this message (after a restore: it left); the sequence goes on behind it.

    stop: the sequence ends for these people.

    Example: `avtale late skip --reason restored --sequence hello --yes`
    """
    chosen = Chosen(sequence, sender, reason)
    if ctx.invoked_subcommand is not None:
        ctx.obj = chosen  # said before the word: it must not decide about more than that
        return

    async def work(opened: "App") -> Sequence[RowMapping]:
        async with transaction(opened.engine) as conn:
            return await late.groups(conn, chosen)

    found = run(work)
    if as_json:
        emit(found)
    elif not found:
        err.print("Nothing is late." if chosen == Chosen() else _NONE)
    else:
        _table(found)


def _table(found: Sequence[RowMapping]) -> None:
    table = Table()
    for name in ("sequence", "step", "sender", "why", "waiting", "since"):
        table.add_column(name, overflow="fold")
    for row in found:
        values = (row["sequence"], row["step"], row["sender"], row["reason"])
        table.add_row(*values, f"{row['waiting']:,}", f"{row['since']:%Y-%m-%d %H:%M}")
    out.print(table)


def _both(group: Chosen, own: Chosen) -> Chosen:
    """What was said before and behind the word, together."""
    for before, behind in zip(astuple(group), astuple(own), strict=True):
        if before and behind and before != behind:
            fail(BadInput(f"`{before}` and `{behind}` at once fit nothing: say one of them."))
    return Chosen(*(a or b for a, b in zip(astuple(own), astuple(group), strict=True)))


def _decide(
    ctx: typer.Context, outcome: Outcome, own: Chosen, limit: int | None, yes: bool
) -> None:
    chosen = _both(ctx.obj, own)

    async def preview(opened: "App") -> dict[str, Any]:
        async with transaction(opened.engine) as conn:
            waiting = sum(row["waiting"] for row in await late.groups(conn, chosen))
            first = await late.pick(conn, chosen, after=UUID(int=0), most=_SHOWN)
        return {"waiting": waiting, "first": first}

    async def work(opened: "App") -> Decided:
        async with transaction(opened.engine) as conn:
            now = await database_now(conn)
        return await decide_many(opened, chosen, outcome, now=now, by=who_decides(), most=limit)

    if yes:
        decided = run(work)
        err.print(f"{outcome}: {decided.done:,}." if decided.done or decided.refused else _NONE)
        for why, count in decided.refused.items():
            err.print(f"Not decided: {count:,}. {why}", markup=False)
        return
    seen = run(preview)
    count = min(seen["waiting"], limit or seen["waiting"])
    if not count:
        err.print(_NONE)
        return
    for row in seen["first"][:count]:
        out.print(
            f"{row['who'] or row['prospect_id']}: {row['sequence']}, {row['step']}", markup=False
        )
    if count > _SHOWN:
        out.print(f"and {count - _SHOWN:,} more")
    err.print(f"Nothing was changed. `{outcome}` for these {count:,}: say --yes.")


@app.command()
def send(
    ctx: typer.Context,
    sequence: _Sequence = None,
    sender: _Sender = None,
    reason: _Reason = None,
    limit: _Limit = None,
    yes: _Yes = False,
) -> None:
    """They had not left: let them leave, each inside its hours, cap and gap.

    Example: `avtale late send --reason restored --limit 20 --yes`
    """
    _decide(ctx, "send", Chosen(sequence, sender, reason), limit, yes)


@app.command()
def skip(
    ctx: typer.Context,
    sequence: _Sequence = None,
    sender: _Sender = None,
    reason: _Reason = None,
    limit: _Limit = None,
    yes: _Yes = False,
) -> None:
    """Leave these messages out; after a restore: they left. The sequences go on behind them.

    Example: `avtale late skip --reason restored --sequence hello --yes`
    """
    _decide(ctx, "skip", Chosen(sequence, sender, reason), limit, yes)


@app.command()
def stop(
    ctx: typer.Context,
    sequence: _Sequence = None,
    sender: _Sender = None,
    reason: _Reason = None,
    limit: _Limit = None,
    yes: _Yes = False,
) -> None:
    """End the sequences of these people.

    Example: `avtale late stop --reason restored --sender kari --yes`
    """
    _decide(ctx, "stop", Chosen(sequence, sender, reason), limit, yes)
