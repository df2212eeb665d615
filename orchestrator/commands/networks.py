"""`avtale networks`: lists of networks that tell machines from people, by files or URLs."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text
from sqlalchemy import RowMapping

from orchestrator.clock import database_now, utc_now
from orchestrator.commands.common import emit, err, fail, out, run
from orchestrator.db import transaction
from orchestrator.egress import Egress, NoAnswer, allowed
from orchestrator.errors import BadInput, NotFound, Unavailable
from orchestrator.flows.save_networks import save_networks
from orchestrator.networks import load
from orchestrator.rules.egress import Refused
from orchestrator.rules.networks import KINDS, MOST_BYTES, value_of
from orchestrator.store import networks as store

if TYPE_CHECKING:
    from orchestrator.wiring import App

app = typer.Typer(
    help="Lists of networks that tell machines from people. Optional.", no_args_is_help=True
)

STALE = timedelta(days=45)
_WEB = ("https://", "http://")
_Kind = StrEnum("_Kind", {kind: kind for kind in KINDS})  # type: ignore[misc]  # typer needs an Enum


@app.command()
def update(
    name: Annotated[str | None, typer.Argument(help="apple, aws ...; none: every list.")] = None,
    source: Annotated[
        str | None, typer.Option("--from", help="A URL or a file; it is remembered.")
    ] = None,
    kind: Annotated[
        _Kind | None, typer.Option(help="What it means when a hit comes from there.")
    ] = None,
    smaller: Annotated[bool, typer.Option(help="Take it though it has shrunk by half.")] = False,
) -> None:
    """Fetch lists anew: JSON or CSV as Apple and the clouds publish them, or lines of ranges.

    Example: `avtale networks update aws --kind datacentre --from
    https://ip-ranges.amazonaws.com/ip-ranges.json`
    """
    if source and not source.startswith(_WEB):
        source = str(Path(source).absolute())  # it is read again from wherever cron stands

    async def work(opened: "App") -> list[tuple[str, int]]:
        async with transaction(opened.engine) as conn:
            known = await store.shown(conn)
        done = []
        for one in _wanted(known, name, source, kind):
            content = await _fetch(opened, one["source"])
            async with transaction(opened.engine) as conn:
                now = await database_now(conn)
                size = await save_networks(conn, **one, content=content, smaller=smaller, now=now)
            done.append((one["name"], size))
        return done

    for listed, size in run(work):
        err.print(f"{listed}: {size} ranges. Every process knows them within a minute.")


def _wanted(
    known: Sequence[RowMapping], name: str | None, source: str | None, kind: str | None
) -> list[dict[str, Any]]:
    """Which lists are fetched, and from where."""
    rows = [{key: row[key] for key in ("name", "kind", "source")} for row in known]
    if name is None:
        if source or kind:
            raise BadInput("Say which list: avtale networks update NAME --from URL --kind KIND.")
        if not rows:
            raise BadInput(
                "There is no list yet: avtale networks update NAME --from ... --kind ..."
            )
        return rows
    before = next((row for row in rows if row["name"] == name), {"name": name})
    made = before | {"source": source or before.get("source"), "kind": kind or before.get("kind")}
    if not made["source"] or not made["kind"]:
        raise BadInput(f"`{name}` is new: say --from and --kind ({', '.join(KINDS)}).")
    return [made | {"kind": str(made["kind"])}]


async def _fetch(opened: "App", source: str) -> bytes:
    """What stands at a URL, through the same guard as webhooks, or in a file of this machine."""
    if not source.startswith(_WEB):
        try:
            return await asyncio.to_thread(Path(source).read_bytes)
        except OSError as error:
            raise BadInput(f"{source}: {error.strerror}.") from None
    egress = Egress(allowed(opened.settings), seconds=60)
    try:
        return await egress.get(source, most=MOST_BYTES)
    except Refused as error:
        raise BadInput(f"{source} is not fetched: {error}.") from None
    except NoAnswer as error:
        raise Unavailable(f"{source} did not answer ({error}); its list stays as it was.") from None
    finally:
        await egress.close()


@app.command()
def show(as_json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False) -> None:
    """Show which lists there are, from where and of when."""

    async def work(opened: "App") -> Sequence[RowMapping]:
        async with transaction(opened.engine) as conn:
            return await store.shown(conn)

    rows = run(work)
    if as_json:
        emit([dict(row) for row in rows])
        return
    if not rows:
        err.print("No lists: timing, headers and the hidden link do the work alone.")
        return
    table = Table("list", "kind", "ranges", "fetched", "from")
    for row in rows:
        age = utc_now() - row["fetched_at"]
        fetched = f"{row['fetched_at']:%Y-%m-%d}" + (
            f", {age.days} days old" if age > STALE else ""
        )
        cells = (row["name"], row["kind"], str(row["size"]), fetched, row["source"])
        table.add_row(*(Text(cell) for cell in cells))
    out.print(table)


@app.command()
def check(address: Annotated[str, typer.Argument(help="An IPv4 or IPv6 address.")]) -> None:
    """Say which lists know an address. Exit 1 when none does."""
    if value_of(address) is None:
        fail(BadInput(f"`{address}` is no address."))

    async def work(opened: "App") -> list[tuple[str, str]]:
        async with transaction(opened.engine) as conn:
            lists = await load(conn)
        return [(name, lists.by_name[name][0]) for name in lists.names(address)]

    found = run(work)
    for name, kind in found:
        out.print(Text(f"{name} ({kind})"))
    if not found:
        err.print("No list knows it.")
        raise typer.Exit(1)


@app.command()
def remove(name: Annotated[str, typer.Argument(help="The list.")]) -> None:
    """Forget a list. Verdicts that it led to stay as they are."""

    async def work(opened: "App") -> bool:
        async with transaction(opened.engine) as conn:
            return await store.remove(conn, name)

    if not run(work):
        fail(NotFound(f"There is no list called `{name}`."))
    err.print("Forgotten.")
