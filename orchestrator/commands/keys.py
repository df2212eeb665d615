"""`avtale key`: API keys."""

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from orchestrator.clock import database_now
from orchestrator.commands.common import emit, err, out, run
from orchestrator.commands.users import user_id_of
from orchestrator.db import transaction
from orchestrator.errors import NotFound
from orchestrator.flows.create_key import NewKey, create_key
from orchestrator.store import api_keys

if TYPE_CHECKING:
    from orchestrator.wiring import App

app = typer.Typer(help="API keys: who may use the JSON API, and how far.", no_args_is_help=True)

_Name = Annotated[str, typer.Argument(help="Who uses it.")]
_Json = Annotated[bool, typer.Option("--json", help="Write JSON.")]


@app.command()
def create(
    name: _Name,
    scope: Annotated[
        list[str], typer.Option(help="For example prospects:write, *:read or *; may be repeated.")
    ],
    role: Annotated[
        str, typer.Option(help="How far it reaches: admin, ops, rep (their people) or viewer.")
    ] = "ops",
    user: Annotated[
        str | None, typer.Option(help="Whose key it is, by email: it reaches no further.")
    ] = None,
    as_json: _Json = False,
) -> None:
    """Make a key. Its secret is printed once, on stdout."""

    async def work(opened: "App") -> NewKey:
        async with transaction(opened.engine) as conn:
            owner = await user_id_of(conn, user) if user else None
            return await create_key(conn, name=name, scopes=scope, role=role, user_id=owner)

    made = run(work)
    if as_json:
        emit(made)
        return
    reach = f"{made.role}: {', '.join(made.scopes)}"
    err.print(f"Key {made.name} ({reach}). This is the only time it is shown:")
    typer.echo(made.secret)


@app.command(name="list")
def list_(as_json: _Json = False) -> None:
    """Show the keys, without their secrets."""

    async def work(opened: "App") -> list[dict[str, Any]]:
        async with transaction(opened.engine) as conn:
            return await api_keys.everyone(conn)

    rows = run(work)
    if as_json:
        emit(rows)
        return
    table = Table("name", "scopes", "role", "used", "state")
    for row in rows:
        used = f"{row['used_at']:%Y-%m-%d %H:%M}" if row["used_at"] else "never"
        state = "revoked" if row["revoked_at"] else "live"
        whose = f"{row['role']} ({row['user']})" if row["user"] else row["role"]
        table.add_row(row["name"], ", ".join(row["scopes"]), whose, used, state)
    out.print(table)


@app.command()
def revoke(name: _Name) -> None:
    """End a key at once. There is no way back; make a new one instead."""

    async def work(opened: "App") -> bool:
        async with transaction(opened.engine) as conn:
            return await api_keys.revoke(conn, name, await database_now(conn))

    if not run(work):
        raise NotFound(f"there is no live key called {name}: `avtale key list` shows them")
    err.print(f"Key {name} is revoked.")
