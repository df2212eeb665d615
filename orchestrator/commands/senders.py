"""`avtale senders`: the accounts that messages leave from."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.table import Table
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.clock import database_now
from orchestrator.commands import sender_save
from orchestrator.commands.common import emit, err, out, run
from orchestrator.commands.sender_options import (
    CaFile,
    Cap,
    Days,
    DisplayName,
    Gap,
    Host,
    Hours,
    ImapFolder,
    ImapHost,
    ImapPort,
    ImapSecurity,
    ImapUsername,
    Jitter,
    Json,
    Name,
    PasswordIn,
    Port,
    Security,
    Tokens,
    Tracking,
    Username,
    Zone,
    read_secrets,
)
from orchestrator.db import transaction
from orchestrator.errors import BadInput
from orchestrator.flows.check_sender import check_sender
from orchestrator.flows.pause_sender import pause_sender
from orchestrator.flows.resume_sender import resume_sender
from orchestrator.flows.save_sender import save_sender
from orchestrator.store import senders
from orchestrator.wiring import App

app = typer.Typer(help="Senders: the accounts that messages leave from.", no_args_is_help=True)


@app.command()
def add(
    name: Name,
    address: Annotated[str, typer.Option("--address", help="The mailbox that writes.")],
    host: Annotated[str, typer.Option("--host", help="The SMTP server.")],
    display_name: DisplayName = None,
    port: Port = None,
    security: Security = None,
    username: Username = None,
    password_stdin: PasswordIn = False,
    ca_file: CaFile = None,
    imap_host: ImapHost = None,
    imap_port: ImapPort = None,
    imap_security: ImapSecurity = None,
    imap_username: ImapUsername = None,
    imap_folder: ImapFolder = None,
    daily_cap: Cap = None,
    gap: Gap = None,
    jitter: Jitter = None,
    zone: Zone = None,
    days: Days = None,
    hours: Hours = None,
    address_tokens: Tokens = None,
    tracking: Tracking = None,
) -> None:
    """Add a mailbox to send from. `avtale senders test NAME` tries it out."""
    imap = _imap(imap_host, imap_port, imap_security, imap_username, imap_folder)
    values = _values(
        address=address, display_name=display_name, daily_cap=daily_cap, gap_seconds=gap,
        gap_jitter_seconds=jitter, zone=zone, hours=_window(days, hours),
        settings=_known(
            host=host, port=port, security=security, username=username, ca_file=ca_file,
            imap=imap, address_tokens=address_tokens, tracking=tracking,
        ),
    )  # fmt: skip
    secrets = read_secrets(bool(username), bool(imap and imap.get("username")), password_stdin)
    _save(name, values, secrets, new=True)
    err.print(f"Added. `avtale senders test {name}` tries it out.")


@app.command(name="set")
def change(
    name: Name,
    address: Annotated[str | None, typer.Option("--address")] = None,
    host: Host = None,
    display_name: DisplayName = None,
    port: Port = None,
    security: Security = None,
    username: Username = None,
    new_password: Annotated[
        bool, typer.Option("--password", help="Ask for a new password.")
    ] = False,
    password_stdin: PasswordIn = False,
    ca_file: CaFile = None,
    imap_host: ImapHost = None,
    imap_port: ImapPort = None,
    imap_security: ImapSecurity = None,
    imap_username: ImapUsername = None,
    imap_folder: ImapFolder = None,
    daily_cap: Cap = None,
    gap: Gap = None,
    jitter: Jitter = None,
    zone: Zone = None,
    days: Days = None,
    hours: Hours = None,
    address_tokens: Tokens = None,
    tracking: Tracking = None,
) -> None:
    """Change what is named; everything else stays."""
    imap = _imap(imap_host, imap_port, imap_security, imap_username, imap_folder)
    values = _values(
        address=address, display_name=display_name, daily_cap=daily_cap, gap_seconds=gap,
        gap_jitter_seconds=jitter, zone=zone, hours=_window(days, hours),
        settings=_known(
            host=host, port=port, security=security, username=username, ca_file=ca_file,
            imap=imap, address_tokens=address_tokens, tracking=tracking,
        ),
    )  # fmt: skip
    wants = bool(username) or new_password or password_stdin
    secrets = read_secrets(wants, bool(imap and imap.get("username")), password_stdin)
    if not values and not secrets:
        raise BadInput("Nothing to change: name what is to be different.")
    _save(name, values, secrets, new=False)
    err.print("Changed.")


app.command(name="save")(sender_save.save)


@app.command(name="list")
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


@app.command()
def show(name: Name) -> None:
    """One sender as JSON. Passwords are never shown: `secrets` says whether there are any."""

    async def work(parts: App) -> dict[str, Any]:
        async with transaction(parts.engine) as conn:
            await senders.by_name(conn, name)  # the error for a name that is not there
            return next(dict(row) for row in await senders.listing(conn) if row["name"] == name)

    emit(run(work))


@app.command(name="test")
def try_out(
    name: Name,
    mail: Annotated[bool, typer.Option("--mail", help="Also send a mail to oneself.")] = False,
) -> None:
    """Connect, secure and log in; with --mail, send a mail to the sender's own address."""

    async def work(parts: App) -> str:
        async with transaction(parts.engine) as conn:
            now = await database_now(conn)
        return await check_sender(parts, name, mail_to_self=mail, now=now)

    out.print(run(work), soft_wrap=True, markup=False)


@app.command()
def pause(name: Name, reason: Annotated[str, typer.Option("--reason")] = "by hand") -> None:
    """Stop a sender at once: nothing leaves by it until it is resumed."""

    async def work(conn: AsyncConnection, now: datetime) -> bool:
        return await pause_sender(conn, name=name, reason=reason, now=now)

    err.print("Paused." if _in_transaction(work) else "It was paused already.")


@app.command()
def resume(name: Name) -> None:
    """Let a paused sender go on."""

    async def work(conn: AsyncConnection, now: datetime) -> bool:
        return await resume_sender(conn, name=name, now=now)

    err.print("Resumed." if _in_transaction(work) else "It was not paused.")


def _in_transaction(work: Any) -> bool:
    async def opened(parts: App) -> bool:
        async with transaction(parts.engine) as conn:
            return bool(await work(conn, await database_now(conn)))

    return run(opened)


def _save(name: str, values: dict[str, Any], secrets: dict[str, str], *, new: bool) -> UUID:
    async def work(parts: App) -> UUID:
        async with transaction(parts.engine) as conn:
            return await save_sender(
                conn, parts.keys, parts.channels, name=name, values=values, secrets=secrets,
                now=await database_now(conn), new=new,
            )  # fmt: skip

    return run(work)


def _known(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _values(*, settings: dict[str, Any], **values: Any) -> dict[str, Any]:
    return _known(**values) | ({"settings": settings} if settings else {})


def _window(days: str | None, hours: str | None) -> dict[str, str] | None:
    if days is None and hours is None:
        return None
    return {"days": days or "mon-fri", "hours": hours or "08:00-16:00"}


def _imap(
    host: str | None,
    port: int | None,
    security: str | None,
    username: str | None,
    folder: str | None,
) -> dict[str, Any] | None:
    found = _known(host=host, port=port, security=security, username=username, folder=folder)
    if found and host is None:
        raise BadInput("--imap-host is needed with the other --imap options.")
    return found or None


def _state(row: dict[str, Any]) -> str:
    if row["paused_at"]:
        return f"paused: {row['pause_reason'] or 'by hand'}"
    if row["parked_until"]:
        return f"parked until {row['parked_until']:%H:%M} UTC: {row['park_reason'] or ''}"
    return "ready"
