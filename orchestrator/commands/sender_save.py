"""`avtale senders save`: a sender on any channel, its settings by name."""

from typing import Annotated, Any

import typer

from orchestrator.clock import database_now
from orchestrator.commands.common import err, run
from orchestrator.commands.sender_options import (
    Cap,
    Days,
    DisplayName,
    Gap,
    Hours,
    Jitter,
    Name,
    Secret,
    SecretsIn,
    Settings,
    Zone,
    hours_of,
    secrets_of,
    settings_of,
)
from orchestrator.db import transaction
from orchestrator.errors import BadInput, NotFound
from orchestrator.flows.save_sender import save_sender
from orchestrator.store import senders
from orchestrator.wiring import App


def save(
    name: Name,
    channel: Annotated[str, typer.Option("--channel", help="slack, linkedin ...")],
    address: Annotated[
        str | None, typer.Option("--address", help="Who writes, as the channel names people.")
    ] = None,
    setting: Settings = None,
    secret: Secret = None,
    secrets_stdin: SecretsIn = False,
    display_name: DisplayName = None,
    daily_cap: Cap = None,
    gap: Gap = None,
    jitter: Jitter = None,
    zone: Zone = None,
    days: Days = None,
    hours: Hours = None,
) -> None:
    """Add a sender on any channel, or change it when there is one of that name.

    For example: avtale senders save kari-network --channel linkedin --address kari-lunde
    --set mode=manual
    """
    values = {
        "address": address, "display_name": display_name, "daily_cap": daily_cap,
        "gap_seconds": gap, "gap_jitter_seconds": jitter, "zone": zone,
        "hours": hours_of(days, hours), "settings": settings_of(setting) or None,
    }  # fmt: skip
    given = {key: value for key, value in values.items() if value is not None}
    secrets = secrets_of(secret, from_stdin=secrets_stdin)
    added = run(lambda parts: _saved(parts, name, channel, given, secrets))
    err.print(f"{'Added' if added else 'Changed'}. `avtale senders test {name}` tries it out.")


async def _saved(
    parts: App, name: str, channel: str, values: dict[str, Any], secrets: dict[str, str]
) -> bool:
    """Whether it is new."""
    async with transaction(parts.engine) as conn:
        try:
            before = await senders.by_name(conn, name)
        except NotFound:
            before = None
        if before is not None and before["channel"] != channel:
            raise BadInput(f"The sender `{name}` is on {before['channel']}: a sender stays there.")
        await save_sender(
            conn, parts.keys, parts.channels, name=name, values=values | {"channel": channel},
            secrets=secrets, now=await database_now(conn), new=before is None,
        )  # fmt: skip
    return before is None
