"""What the demo starts with, made by the same commands that an operator would type."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import httpx

from orchestrator.config import Settings
from orchestrator.sandbox.commands import Commands
from orchestrator.sandbox.post_office import port_file

DEMO = Path(__file__).parents[2] / "templates" / "demo"
SEQUENCE = "demo-first-touch"
SENDER, SENDER_ADDRESS = "kari", "kari@fjordledger.example"
SENDER_NAME, HOST_NAME = "Kari Lunde", "Jonas Berg"
WORKSPACE, CONNECT, NETWORK, BY_HAND = "kari-slack", "kari-connect", "kari-network", "jonas-network"
# Which people each sender writes to, by a column of the file.
REACHED = {
    SENDER: "by email",
    WORKSPACE: "in our workspace",
    CONNECT: "by Slack Connect",
    NETWORK: "on the network",
    BY_HAND: "by hand",
}
_SECRETS = ("bot_token", "signing_secret", "api_key", "webhook_secret")
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
        *("senders", "add", SENDER, "--address", SENDER_ADDRESS, "--display-name", SENDER_NAME),
        *(*where, "--security", "plain_without_encryption", "--zone", "Europe/Oslo"),
        *("--gap", "0", "--jitter", "0", "--daily-cap", "200", "--hours", "07:00-18:00"),
    )
    await avtale(
        *("hosts", "add", "sales", "--display-name", HOST_NAME, "--email", HOST_ADDRESS),
        *("--zone", "Europe/Oslo", "--location", "https://meet.fjordledger.example/jonas"),
    )


async def add_channels(avtale: Commands, settings: Settings) -> None:
    """Senders on the sandbox's Slack and network, as an operator sets them up: take the credentials
    that the provider shows, and hand them to Avtale."""
    async with httpx.AsyncClient(
        base_url=settings.base_url, timeout=15, trust_env=False
    ) as provider:

        async def asked(path: str, **values: str) -> dict[str, str]:
            answer = await provider.post(f"/sandbox/{path}", json=values)
            answer.raise_for_status()
            found: dict[str, str] = answer.json()
            return found

        def slack(sender: str) -> Any:
            return asked("slack/control/apps", sender=sender, name=SENDER_NAME)

        here, elsewhere = await slack(WORKSPACE), await slack(CONNECT)
        seat = await asked("network/control/accounts", sender=NETWORK, name=SENDER_NAME)
    await asyncio.gather(
        _save(avtale, WORKSPACE, "slack", here, ("workspace", "base_url"), reach="workspace"),
        _save(avtale, CONNECT, "slack", elsewhere, ("workspace", "base_url"), reach="connect"),
        _save(
            *(avtale, NETWORK, "linkedin", seat | {"address": "kari-lunde"}),
            ("base_url", "account_id", "user_id", "tier"),
            mode="automatic",
            terms_accepted="true",
        ),
        _save(avtale, BY_HAND, "linkedin", {"address": "jonas-berg"}, (), mode="manual"),
    )


async def _save(
    avtale: Commands,
    name: str,
    channel: str,
    shown: dict[str, str],
    names: tuple[str, ...],
    **chosen: str,
) -> None:
    """One sender: settings by name, what is secret on stdin."""
    settings = chosen | {each: shown[each] for each in names}
    secrets = {each: shown[each] for each in _SECRETS if each in shown}
    await avtale(
        *("senders", "save", name, "--channel", channel, "--address", shown["address"]),
        *("--display-name", HOST_NAME if name == BY_HAND else SENDER_NAME),
        *("--zone", "Europe/Oslo", "--gap", "0", "--jitter", "0", "--hours", "07:00-18:00"),
        *(word for pair in settings.items() for word in ("--set", "=".join(pair))),
        *(("--secrets-stdin",) if secrets else ()),
        stdin=json.dumps(secrets),
    )


async def import_people(avtale: Commands) -> int:
    """The sixteen people of the demo; how many are known now."""
    await avtale("prospects", "import", str(DEMO / "prospects.csv"), "--json")
    return len((await avtale("prospects", "list", "--json")).value)


async def publish(avtale: Commands) -> Any:
    """Publish the demo's sequence; the version that was made, or was there."""
    return (await avtale("sequence", "publish", str(DEMO / "first-touch.yaml"), "--json")).value


async def enroll(avtale: Commands, *senders: str) -> None:
    """Enroll whom `senders` write to, everybody without any; doing it twice enrolls once."""

    async def part(sender: str) -> None:
        where = f"attributes.reached = '{REACHED[sender]}'"
        await avtale("enroll", SEQUENCE, "--where", where, "--sender", sender, "--json")

    await asyncio.gather(*(part(sender) for sender in senders or REACHED))
