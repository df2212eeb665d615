"""What the demo starts with, made by the same commands that an operator would type."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from orchestrator.config import Settings
from orchestrator.sandbox.commands import CommandFailed, Commands
from orchestrator.sandbox.post_office import port_file

DEMO = Path(__file__).parents[2] / "templates" / "demo"
SEQUENCE = "demo-first-touch"
SENDER, SENDER_ADDRESS = "kari", "kari@fjordledger.example"
SENDER_NAME, HOST_NAME = "Kari Lunde", "Jonas Berg"
WORKSPACE, CONNECT, NETWORK, BY_HAND = "kari-slack", "kari-connect", "kari-network", "jonas-network"
# Which people each sender writes to, by a column of the file.
REACHED = {
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


@asynccontextmanager
async def door(avtale: Commands, settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """Avtale's API with a key of its own: a call of it costs less than a command's start."""
    key = await avtale("key", "create", f"demo-{uuid4().hex[:8]}", "--scope", "*")
    async with httpx.AsyncClient(
        base_url=settings.base_url,
        timeout=30,
        trust_env=False,
        headers={"authorization": f"Bearer {key.stdout.strip()}"},
    ) as api:
        yield api


async def _post(api: httpx.AsyncClient, path: str, **values: Any) -> dict[str, Any]:
    """Raises CommandFailed."""
    answer = await api.post(path, json=values)
    if not answer.is_success:
        raise CommandFailed(f"{path} answered {answer.status_code}: {answer.text[:400]}")
    found: dict[str, Any] = answer.json()
    return found


async def add_channels(api: httpx.AsyncClient) -> None:
    """Senders on the sandbox's Slack and network, as an operator sets them up: take the credentials
    that the provider shows, and hand them to Avtale."""
    apps = "/sandbox/slack/control/apps"
    for name, reach in ((WORKSPACE, "workspace"), (CONNECT, "connect")):
        shown = await _post(api, apps, sender=name, name=SENDER_NAME)
        known = {each: shown[each] for each in ("workspace", "base_url")}
        await _save(api, name, "slack", shown, known | {"reach": reach})
    seats = "/sandbox/network/control/accounts"
    shown = await _post(api, seats, sender=NETWORK, name=SENDER_NAME)
    known = {each: shown[each] for each in ("base_url", "account_id", "user_id", "tier")}
    automatic = {"mode": "automatic", "terms_accepted": True}
    await _save(api, NETWORK, "linkedin", shown | {"address": "kari-lunde"}, known | automatic)
    await _save(api, BY_HAND, "linkedin", {"address": "jonas-berg"}, {"mode": "manual"})


async def _save(
    api: httpx.AsyncClient,
    name: str,
    channel: str,
    shown: dict[str, Any],
    settings: dict[str, Any],
) -> None:
    """Add one sender, or bring it up to what the provider shows now."""
    secrets = {each: shown[each] for each in _SECRETS if each in shown}
    change: dict[str, Any] = {"settings": settings, "secrets": secrets}
    if (await api.get(f"/api/senders/{name}")).status_code == 200:
        answer = await api.patch(f"/api/senders/{name}", json=change)
        if not answer.is_success:
            raise CommandFailed(f"the sender {name}: {answer.text[:400]}")
        return
    await _post(
        api,
        "/api/senders",
        name=name,
        channel=channel,
        address=shown["address"],
        display_name=HOST_NAME if name == BY_HAND else SENDER_NAME,
        zone="Europe/Oslo",
        hours={"days": "mon-fri", "hours": "07:00-18:00"},
        gap_seconds=0,
        gap_jitter_seconds=0,
        **change,
    )


async def import_people(avtale: Commands) -> int:
    """The sixteen people of the demo; how many are known now."""
    await avtale("prospects", "import", str(DEMO / "prospects.csv"), "--json")
    return len((await avtale("prospects", "list", "--json")).value)


async def publish(avtale: Commands) -> Any:
    """Publish the demo's sequence; the version that was made, or was there."""
    return (await avtale("sequence", "publish", str(DEMO / "first-touch.yaml"), "--json")).value


async def enroll(avtale: Commands) -> Any:
    """Enroll everybody with an email address; doing it twice enrolls once."""
    options = ("--where", "email exists", "--sender", SENDER, "--json")
    return (await avtale("enroll", SEQUENCE, *options)).value


async def enroll_others(api: httpx.AsyncClient) -> None:
    """Enroll the people of the other channels, each with the sender that reaches them."""
    for sender, reached in REACHED.items():
        where = f"attributes.reached = '{reached}'"
        await _post(api, "/api/enrollments", sequence=SEQUENCE, where=where, sender=sender)
