"""`avtale senders`: the accounts that messages leave from."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import typer
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.clock import database_now
from orchestrator.commands import sender_list, sender_save
from orchestrator.commands.common import err, out, run
from orchestrator.commands.sender_options import (
    DEFAULT_CHANNEL,
    CaFile,
    Cap,
    Channel,
    Days,
    DisplayName,
    Gap,
    Host,
    Hours,
    ImapFolder,
    ImapHolds,
    ImapHost,
    ImapPort,
    ImapSecurity,
    ImapSent,
    ImapUsername,
    Jitter,
    Name,
    PasswordIn,
    Port,
    Secret,
    SecretsIn,
    Security,
    Settings,
    Tokens,
    Tracking,
    Username,
    Zone,
    hours_of,
    read_secrets,
    secrets_of,
    settings_of,
)
from orchestrator.db import transaction
from orchestrator.errors import BadInput
from orchestrator.flows.check_sender import check_sender
from orchestrator.flows.pause_sender import pause_sender
from orchestrator.flows.resume_sender import resume_sender
from orchestrator.flows.save_sender import save_sender
from orchestrator.wiring import App

app = typer.Typer(help="Senders: the accounts that messages leave from.", no_args_is_help=True)


@app.command()
def add(
    name: Name,
    address: Annotated[
        str, typer.Option("--address", help="Who writes, as the channel names people.")
    ],
    channel: Channel = DEFAULT_CHANNEL,
    setting: Settings = None,
    secret: Secret = None,
    secrets_stdin: SecretsIn = False,
    host: Host = None,
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
    imap_sent_folder: ImapSent = None,
    imap_sent_holds: ImapHolds = None,
    daily_cap: Cap = None,
    gap: Gap = None,
    jitter: Jitter = None,
    zone: Zone = None,
    days: Days = None,
    hours: Hours = None,
    address_tokens: Tokens = None,
    tracking: Tracking = None,
) -> None:
    """Add an account to send from. `avtale senders test NAME` tries it out.

    A mailbox has options of its own; what another channel wants is said by --set and --secret:

    avtale senders add kari --address kari@example.com --host smtp.example.com --username kari

    avtale senders add kari-slack --channel slack --address T0123ABCD:U0123ABCD
    --set workspace=T0123ABCD --secret bot_token --secret signing_secret

    avtale senders add kari-network --channel linkedin --address kari-lunde
    """
    imap = _imap(
        host=imap_host, port=imap_port, security=imap_security, username=imap_username,
        folder=imap_folder, sent_folder=imap_sent_folder, sent_holds=imap_sent_holds,
    )  # fmt: skip
    values = _values(
        channel=channel, address=address, display_name=display_name, daily_cap=daily_cap,
        gap_seconds=gap, gap_jitter_seconds=jitter, zone=zone, hours=hours_of(days, hours),
        settings=_known(
            host=host, port=port, security=security, username=username, ca_file=ca_file,
            imap=imap, address_tokens=address_tokens, tracking=tracking,
        ) | settings_of(setting),
    )  # fmt: skip
    secrets = read_secrets(bool(username), bool(imap and imap.get("username")), password_stdin)
    secrets |= secrets_of(secret, from_stdin=secrets_stdin)
    _save(name, values, secrets, new=True)
    err.print(f"Added. `avtale senders test {name}` tries it out.")


@app.command(name="set")
def change(
    name: Name,
    address: Annotated[str | None, typer.Option("--address")] = None,
    setting: Settings = None,
    secret: Secret = None,
    secrets_stdin: SecretsIn = False,
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
    imap_sent_folder: ImapSent = None,
    imap_sent_holds: ImapHolds = None,
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
    imap = _imap(
        host=imap_host, port=imap_port, security=imap_security, username=imap_username,
        folder=imap_folder, sent_folder=imap_sent_folder, sent_holds=imap_sent_holds,
    )  # fmt: skip
    values = _values(
        address=address, display_name=display_name, daily_cap=daily_cap, gap_seconds=gap,
        gap_jitter_seconds=jitter, zone=zone, hours=hours_of(days, hours),
        settings=_known(
            host=host, port=port, security=security, username=username, ca_file=ca_file,
            imap=imap, address_tokens=address_tokens, tracking=tracking,
        ) | settings_of(setting),
    )  # fmt: skip
    wants = bool(username) or new_password or password_stdin
    secrets = read_secrets(wants, bool(imap and imap.get("username")), password_stdin)
    secrets |= secrets_of(secret, from_stdin=secrets_stdin)
    if not values and not secrets:
        raise BadInput("Nothing to change: name what is to be different.")
    _save(name, values, secrets, new=False)
    err.print("Changed.")


app.command(name="save")(sender_save.save)
app.command(name="list")(sender_list.show_all)
app.command(name="show")(sender_list.show)


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


def _imap(**given: Any) -> dict[str, Any] | None:
    found = _known(**given)
    if found and given["host"] is None:
        raise BadInput("--imap-host is needed with the other --imap options.")
    return found or None
