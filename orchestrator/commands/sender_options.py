"""The options of `avtale senders add` and `set`, and what is secret among them."""

import json
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from channels.registry import NAMES
from orchestrator.config import get_settings
from orchestrator.errors import BadInput

PASSWORD = "AVTALE_SENDER_PASSWORD"  # noqa: S105 - the name of a variable
IMAP_PASSWORD = "AVTALE_SENDER_IMAP_PASSWORD"  # noqa: S105 - the name of a variable

DEFAULT_CHANNEL = NAMES[0]

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
ImapSent = Annotated[
    str | None,
    typer.Option(
        "--imap-sent-folder",
        help="Where the provider files what was sent (\\\\Sent: the one it marks so): messages in "
        "doubt are looked for there.",
    ),
]
ImapHolds = Annotated[
    str | None,
    typer.Option("--imap-sent-holds", help="`every` mail, so that what is not there never left."),
]
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
Channel = Annotated[
    str, typer.Option("--channel", help=f"How it reaches people: {', '.join(NAMES)}.")
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", help="A setting as NAME=VALUE; VALUE may be JSON. Repeat it."),
]
Secret = Annotated[
    list[str] | None,
    typer.Option("--secret", help="Ask for the secret of this name. Repeat it."),
]
SecretsIn = Annotated[
    bool, typer.Option("--secrets-stdin", help="Read a JSON object of secrets from stdin.")
]


def settings_of(given: Sequence[str] | None) -> dict[str, Any]:
    """`reach=connect` and `ban_days=30`: what is JSON is read as such. Raises BadInput."""
    found: dict[str, Any] = {}
    for each in given or ():
        name, sign, value = each.partition("=")
        if not sign or not name:
            raise BadInput(f"--set {each}: write NAME=VALUE.")
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found


def secrets_of(names: Sequence[str] | None, *, from_stdin: bool) -> dict[str, str]:
    """Secrets by name: a JSON object on stdin, or each asked for. Never an argument."""
    if not from_stdin:
        return {name: _asked(name) for name in names or ()}
    try:
        found = json.loads(sys.stdin.read())
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(isinstance(one, str) for one in found.values()):
        raise BadInput('--secrets-stdin: write a JSON object of texts, such as {"api_key": "..."}.')
    return found


def _asked(name: str) -> str:
    if not sys.stdin.isatty():
        raise BadInput(f"--secret {name}: nobody can be asked here: pass --secrets-stdin.")
    return str(typer.prompt(name, hide_input=True, err=True))


def hours_of(days: str | None, hours: str | None) -> dict[str, str] | None:
    """The window of a sender; what is left out is as usual. None: neither was said."""
    if days is None and hours is None:
        return None
    return {"days": days or "mon-fri", "hours": hours or "08:00-16:00"}


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
