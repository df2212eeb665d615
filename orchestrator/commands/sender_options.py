"""The options of `avtale senders add` and `set`, and what is secret among them."""

import sys
from typing import Annotated

import typer

from orchestrator.config import get_settings
from orchestrator.errors import BadInput

PASSWORD = "AVTALE_SENDER_PASSWORD"  # noqa: S105 - the name of a variable
IMAP_PASSWORD = "AVTALE_SENDER_IMAP_PASSWORD"  # noqa: S105 - the name of a variable

Name = Annotated[str, typer.Argument(help="What this sender is called.")]
Json = Annotated[bool, typer.Option("--json", help="JSON on stdout.")]
DisplayName = Annotated[str | None, typer.Option("--display-name", help="Who writes.")]
Host = Annotated[str | None, typer.Option("--host", help="The SMTP server.")]
Port = Annotated[int | None, typer.Option("--port")]
Security = Annotated[
    str | None, typer.Option("--security", help="starttls, tls, or plain_without_encryption")
]
Username = Annotated[
    str | None,
    typer.Option("--username", help=f"The password is asked for, or taken from {PASSWORD}."),
]
PasswordIn = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from the first line of stdin.")
]
CaFile = Annotated[str | None, typer.Option("--ca-file", help="PEM of a private authority.")]
ImapHost = Annotated[str | None, typer.Option("--imap-host", help="Where answers arrive.")]
ImapPort = Annotated[int | None, typer.Option("--imap-port")]
ImapSecurity = Annotated[str | None, typer.Option("--imap-security")]
ImapUsername = Annotated[
    str | None,
    typer.Option("--imap-username", help=f"Its password: {IMAP_PASSWORD}, or asked for."),
]
ImapFolder = Annotated[str | None, typer.Option("--imap-folder")]
Cap = Annotated[int | None, typer.Option("--daily-cap", help="Messages a day.")]
Gap = Annotated[int | None, typer.Option("--gap", help="Seconds between two messages, at least.")]
Jitter = Annotated[int | None, typer.Option("--jitter", help="Seconds more, at random.")]
Zone = Annotated[str | None, typer.Option("--zone", help="Europe/Oslo")]
Days = Annotated[str | None, typer.Option("--days", help="mon-fri")]
Hours = Annotated[str | None, typer.Option("--hours", help="08:00-16:00")]
Tokens = Annotated[
    bool | None,
    typer.Option(
        "--address-tokens/--no-address-tokens",
        help="Answers and bounces come back to name+token@: your server must take such addresses.",
    ),
]
Tracking = Annotated[
    bool | None,
    typer.Option("--tracking/--no-tracking", help="Whether opens and clicks may be seen."),
]


def read_secrets(password: bool, imap: bool, from_stdin: bool) -> dict[str, str]:
    """What is secret: from stdin, else the environment, else asked for. Never an argument, which
    every user of the machine could read."""
    found: dict[str, str] = {}
    if password or from_stdin:
        line = sys.stdin.readline().rstrip("\r\n") if from_stdin else ""
        found["password"] = line or _from_environment("sender_password") or _ask("Password")
    if imap:
        found["imap_password"] = (
            _from_environment("sender_imap_password")
            or (found.get("password") if from_stdin else "")
            or _ask("Password for reading (IMAP)")
        )
    return found


def _ask(what: str) -> str:
    if not sys.stdin.isatty():
        raise BadInput(f"{what}: set {PASSWORD} or {IMAP_PASSWORD}, or pass --password-stdin.")
    return str(typer.prompt(what, hide_input=True, err=True))


def _from_environment(name: str) -> str:
    value = getattr(get_settings(), name)
    return value.get_secret_value() if value is not None else ""
