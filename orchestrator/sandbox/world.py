"""What the demo starts with, made by the same commands that an operator would type."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

from orchestrator.config import Settings
from orchestrator.sandbox.commands import Commands
from orchestrator.sandbox.post_office import port_file

DEMO = Path(__file__).parents[2] / "templates" / "demo"
SEQUENCE = "demo-first-touch"
SENDER, SENDER_ADDRESS = "kari", "kari@fjordledger.example"
HOST_ADDRESS = "jonas@fjordledger.example"
ORGANISATION, POSTAL_ADDRESS = "Fjord Ledger", "Brattøra 1, 7010 Trondheim"


async def smtp_address(settings: Settings, *, seconds: float = 20) -> tuple[str, int]:
    """Where the sandbox's mail server answers. Raises TimeoutError when it never comes up."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            where = json.loads(port_file(settings).read_text())
            _reader, writer = await asyncio.open_connection(where["host"], where["port"])
        except (OSError, ValueError):
            await asyncio.sleep(0.05)
            continue
        writer.close()
        await writer.wait_closed()
        return where["host"], where["port"]
    raise TimeoutError("the sandbox's mail server did not come up")


async def add_accounts(avtale: Commands, smtp: tuple[str, int]) -> None:
    """A sender on the sandbox's mail server, and a host for the calls."""
    where = ("--host", smtp[0], "--port", str(smtp[1]))
    listed = await avtale("senders", "list", "--json")
    if any(row["name"] == SENDER for row in listed.value):
        await avtale("senders", "set", SENDER, *where)
        return
    await avtale(
        *("senders", "add", SENDER, "--address", SENDER_ADDRESS, "--display-name", "Kari Lunde"),
        *(*where, "--security", "plain_without_encryption", "--zone", "Europe/Oslo"),
        *("--gap", "0", "--jitter", "0", "--daily-cap", "200", "--hours", "07:00-18:00"),
    )
    await avtale(
        *("hosts", "add", "sales", "--display-name", "Jonas Berg", "--email", HOST_ADDRESS),
        *("--zone", "Europe/Oslo", "--location", "https://meet.fjordledger.example/jonas"),
    )


async def import_people(avtale: Commands) -> int:
    """The twelve people of the demo; how many are known now."""
    await avtale("prospects", "import", str(DEMO / "prospects.csv"), "--json")
    return len((await avtale("prospects", "list", "--json")).value)


async def publish(avtale: Commands) -> Any:
    """Publish the demo's sequence; the version that was made, or was there."""
    return (await avtale("sequence", "publish", str(DEMO / "first-touch.yaml"), "--json")).value


async def enroll(avtale: Commands) -> Any:
    """Enroll everybody; doing it twice enrolls once."""
    options = ("--where", "email exists", "--sender", SENDER, "--json")
    return (await avtale("enroll", SEQUENCE, *options)).value
