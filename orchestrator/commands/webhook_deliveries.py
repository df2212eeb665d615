"""`avtale webhooks`: what was delivered to a subscription, and once more."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer
from rich.table import Table
from rich.text import Text
from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.clock import database_now
from orchestrator.commands.common import emit, err, out, run
from orchestrator.db import transaction
from orchestrator.errors import BadInput, NotFound
from orchestrator.flows.ping_subscription import ping_subscription
from orchestrator.flows.redeliver import redeliver as deliver_again
from orchestrator.store import deliveries as store
from orchestrator.store import subscriptions

if TYPE_CHECKING:
    from orchestrator.wiring import App

app = typer.Typer()

Id = Annotated[UUID, typer.Argument(help="The subscription's id.", metavar="SUBSCRIPTION")]
Json = Annotated[bool, typer.Option("--json", help="Write JSON.")]


async def get_subscription(conn: AsyncConnection, subscription: UUID) -> RowMapping:
    """The subscription. Raises NotFound in words that say where to look."""
    row = await subscriptions.get(conn, subscription)
    if row is None:
        raise NotFound("there is no such subscription: `avtale webhooks list` shows them")
    return row


@app.command()
def test(subscription: Id) -> None:
    """Send a test event; `avtale webhooks deliveries` tells how it went."""

    async def work(opened: "App") -> UUID:
        async with transaction(opened.engine) as conn:
            now = await database_now(conn)
            return await ping_subscription(conn, subscription_id=subscription, now=now)

    err.print(f"Delivery {run(work)} is on its way.")


@app.command()
def deliveries(
    subscription: Id,
    state: Annotated[str | None, typer.Option(help="pending, delivered or failed.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
    as_json: Json = False,
) -> None:
    """Show what was delivered, the newest first, with the last attempt of each."""

    async def work(opened: "App") -> list[dict[str, Any]]:
        async with transaction(opened.engine) as conn:
            await get_subscription(conn, subscription)
            rows = await store.recent(conn, subscription, state=state, limit=limit)
            log = await store.attempts_of(conn, [row["id"] for row in rows])
        by_delivery: dict[UUID, list[dict[str, Any]]] = {row["id"]: [] for row in rows}
        for one in log:
            by_delivery[one["delivery_id"]].append(dict(one))
        return [{**row, "attempts": by_delivery[row["id"]]} for row in rows]

    rows = run(work)
    if as_json:
        emit(rows)
        return
    table = Table("id", "event", "kind", "state", "attempts", "last answer", "next")
    for row in rows:
        last = row["attempts"][-1] if row["attempts"] else None
        table.add_row(
            str(row["id"]), str(row["history_id"]), row["kind"], row["state"],
            str(len(row["attempts"])), Text(_answered(last)),
            f"{row['due_at']:%Y-%m-%d %H:%M}" if row["state"] == "pending" else "",
        )  # fmt: skip
    out.print(table)


def _answered(attempt: dict[str, Any] | None) -> str:
    if attempt is None:
        return ""
    said = attempt["status"] or attempt["detail"].get("trouble", "none")
    return f"{said} in {attempt['millis']} ms"


@app.command()
def redeliver(
    subscription: Id,
    delivery: Annotated[UUID | None, typer.Argument(help="One delivery.")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="All that were given up.")] = False,
    since: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M"], help="With --failed; UTC."),
    ] = None,
) -> None:
    """Deliver again, under the same id: one delivery, or all that were given up."""
    if (delivery is None) == (not failed):
        raise BadInput("say what: the id of a delivery, or --failed")

    async def work(opened: "App") -> int:
        async with transaction(opened.engine) as conn:
            return await deliver_again(
                conn,
                subscription_id=subscription,
                delivery_id=delivery,
                since=since.replace(tzinfo=UTC) if since else None,
                now=await database_now(conn),
            )

    err.print(f"{run(work)} to be delivered again.")
