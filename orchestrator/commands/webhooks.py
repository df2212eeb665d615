"""`avtale webhooks`: subscriptions to events, and what was delivered to them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer
from rich.table import Table
from rich.text import Text
from sqlalchemy import RowMapping

from orchestrator.clock import database_now
from orchestrator.commands import webhook_deliveries
from orchestrator.commands.common import emit, err, out, run
from orchestrator.commands.webhook_deliveries import Id, Json, get_subscription
from orchestrator.db import transaction
from orchestrator.flows.change_subscription import change_subscription
from orchestrator.flows.create_subscription import NewSubscription, create_subscription
from orchestrator.flows.remove_subscription import remove_subscription
from orchestrator.flows.rotate_secret import rotate_secret
from orchestrator.store import subscriptions

if TYPE_CHECKING:
    from orchestrator.wiring import App

app = typer.Typer(
    help="Webhooks out: who is told of events, and how it went.", no_args_is_help=True
)
app.add_typer(webhook_deliveries.app)


async def _now(opened: "App") -> datetime:
    async with transaction(opened.engine) as conn:
        return await database_now(conn)


def _told(made: NewSubscription, as_json: bool, words: str) -> None:
    """A secret goes to stdout alone, so that it can be piped to where it belongs."""
    if as_json:
        emit({"id": made.id, "secret": made.secret})
        return
    err.print(f"{words} This is the only time that its secret is shown:")
    typer.echo(made.secret)


def _public(row: RowMapping) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "secrets"}


@app.command()
def add(
    url: Annotated[str, typer.Argument(help="Where to POST; https.")],
    kind: Annotated[
        list[str] | None,
        typer.Option(help="`booking.*`, `message.sent` ...; may be repeated. Everything if not."),
    ] = None,
    about: Annotated[str, typer.Option(help="Whose it is, for people.")] = "",
    as_json: Json = False,
) -> None:
    """Subscribe a receiver to what happens from now on. Its secret is printed once, on stdout."""

    async def work(opened: "App") -> NewSubscription:
        return await create_subscription(
            opened, url=url, kinds=kind or ["*"], about=about, now=await _now(opened)
        )

    made = run(work)
    _told(made, as_json, f"Subscription {made.id}.")


@app.command(name="list")
def list_(as_json: Json = False) -> None:
    """Show the subscriptions, without their secrets."""

    async def work(opened: "App") -> Sequence[RowMapping]:
        async with transaction(opened.engine) as conn:
            return await subscriptions.everyone(conn)

    rows = run(work)
    if as_json:
        emit([_public(row) for row in rows])
        return
    table = Table("id", "receiver", "kinds", "state", "about")
    for row in rows:
        table.add_row(
            str(row["id"]), Text(row["url"]), Text(", ".join(row["kinds"])), _state(row),
            Text(row["about"]),
        )  # fmt: skip
    out.print(table)


def _state(row: RowMapping) -> str:
    if not row["enabled"]:
        return f"disabled: {row['disabled_reason']}"
    since = row["failing_since"]
    return f"failing since {since:%Y-%m-%d %H:%M}" if since else "live"


@app.command()
def show(subscription: Id, as_json: Json = False) -> None:
    """Show one subscription."""

    async def work(opened: "App") -> RowMapping:
        async with transaction(opened.engine) as conn:
            return await get_subscription(conn, subscription)

    row = run(work)
    if as_json:
        emit(_public(row))
        return
    out.print(Text(row["url"], style="bold"))
    out.print(Text(f"{'state':12}{_state(row)}"))
    out.print(Text(f"{'kinds':12}{', '.join(row['kinds'])}"))
    out.print(Text(f"{'about':12}{row['about']}"))
    out.print(Text(f"{'told up to':12}{row['after_history']} of history"))
    if row["previous_until"]:
        out.print(Text(f"{'old secret':12}signs until {row['previous_until']:%Y-%m-%d %H:%M}"))


@app.command()
def rotate(
    subscription: Id,
    overlap: Annotated[
        int, typer.Option(min=0, max=168, help="Hours in which the old secret signs along.")
    ] = 24,
    as_json: Json = False,
) -> None:
    """Make a new secret; it is printed once, on stdout."""

    async def work(opened: "App") -> NewSubscription:
        async with transaction(opened.engine) as conn:
            return await rotate_secret(
                conn,
                opened.keys,
                subscription_id=subscription,
                now=await database_now(conn),
                overlap=timedelta(hours=overlap),
            )

    _told(run(work), as_json, f"The old secret signs along for {overlap} hours.")


@app.command()
def enable(
    subscription: Id,
    skip_missed: Annotated[
        bool, typer.Option("--skip-missed", help="Do not deliver what was missed.")
    ] = False,
) -> None:
    """Deliver again, beginning with what was missed."""
    run(lambda opened: _switch(opened, subscription, enabled=True, skip_missed=skip_missed))
    err.print("Enabled.")


@app.command()
def disable(subscription: Id) -> None:
    """Deliver nothing until it is enabled; what happens meanwhile is kept."""
    run(lambda opened: _switch(opened, subscription, enabled=False))
    err.print("Disabled.")


async def _switch(
    opened: "App", subscription: UUID, *, enabled: bool, skip_missed: bool = False
) -> None:
    await change_subscription(
        opened,
        subscription_id=subscription,
        now=await _now(opened),
        enabled=enabled,
        skip_missed=skip_missed,
    )


@app.command()
def remove(subscription: Id) -> None:
    """End a subscription for good, with its deliveries and their log."""

    async def work(opened: "App") -> None:
        async with transaction(opened.engine) as conn:
            now = await database_now(conn)
            await remove_subscription(conn, subscription_id=subscription, now=now)

    run(work)
    err.print("Removed.")
