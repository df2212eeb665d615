"""`avtale profile send`: a short send against the sandbox's mail server, stage by stage.

Everything is its own and thrown away: PostgreSQL and Redis in a temporary directory, as durable as
in an installation, made-up people, and a mail server in another process. The sending itself is the
worker's: the same loop, checks and commits.
"""

import asyncio
import contextlib
import csv
import json
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator import migrate, stages
from orchestrator.clock import database_now
from orchestrator.combiner import Combiner
from orchestrator.config import Settings
from orchestrator.db import transaction
from orchestrator.embedded import Embedded
from orchestrator.errors import AvtaleError
from orchestrator.flows.enroll import enroll
from orchestrator.flows.enrolling import Selection
from orchestrator.flows.import_prospects import import_prospects
from orchestrator.flows.plan import plan
from orchestrator.flows.publish_sequence import publish_sequence
from orchestrator.flows.save_sender import save_sender
from orchestrator.processes import child_setup
from orchestrator.sandbox import world
from orchestrator.sender import Sender
from orchestrator.template_library import load_library
from orchestrator.wiring import App, open_app

Say = Callable[[str, int], None]  # what is done, how many messages have left

_SECRET = "of a profile, thrown away with its data"  # noqa: S105 - as it says
_SENDERS = 4
_STALLED_SECONDS = 60.0
_SEQUENCE = """
sequence: profile
about: because you keep the books of others
language: en
channels: [email]
window: {days: mon-sun, hours: "00:00-24:00"}
tracking: {opens: true, clicks: true}
steps:
  - id: hello
    send:
      needs: [fact.pain]
      subject: "A question about the vouchers at {{ company.name }}"
      text: |
        Hello {{ first_name }},

        I noticed this at {{ company.name }}: {{ fact.pain }}.

        It tends to hurt most right before a deadline. At {{ organisation }} we get vouchers in without anyone keying them, and your clients hand them over the way they always have. One page on how: https://fjordledger.example/how

        Is this something you would like to be rid of this year?

        A plain "no" is fine, and you won't hear from me again.

        {{ sender.name }}
    next: end
"""  # noqa: E501 - the text of a mail has lines of its own


class ProfileFailed(AvtaleError):
    """The run did not come to its end."""


@dataclass(frozen=True)
class StageRow:
    """One stage of the run. `share` is of all stages' seconds."""

    stage: str
    about: str
    messages: int
    seconds: float
    us: float  # a message, mean
    share: float


@dataclass(frozen=True)
class Profile:
    """What a run came to. `cpu_us`: of this Python process, a message."""

    messages: int
    seconds: float
    per_second: float
    cpu_us: float
    connections: int
    stages: list[StageRow] = field(default_factory=list)


async def profile_send(messages: int, connections: int, say: Say) -> Profile:
    """Send `messages` mails over `connections`. Raises ProfileFailed when sending stands still."""
    say("Starting PostgreSQL, Redis and a mail server", 0)
    async with _mail_server() as port, _service(connections) as app:
        say("Making people and their first messages", 0)
        await _people_due(app, messages, port)
        say("Sending", 0)
        return await _send(app, messages, say)


@asynccontextmanager
async def _service(connections: int) -> AsyncIterator[App]:
    home = Path(tempfile.mkdtemp(prefix="avtale-profile-"))
    servers = Embedded(home / "data")
    try:
        found = await asyncio.to_thread(servers.start)
        await migrate.upgrade(found.database_url)
        settings = Settings.model_validate(
            {
                "database_url": found.database_url,
                "redis_url": found.redis_url,
                "secret_key": _SECRET,
                "data_dir": home,
                "organisation": world.ORGANISATION,
                "postal_address": world.POSTAL_ADDRESS,
                "base_url": "https://avtale.example",
                "send_connections": connections,
            }
        )
        async with open_app(settings) as app:
            yield app
    finally:
        await asyncio.to_thread(servers.stop)
        shutil.rmtree(home, ignore_errors=True)


@asynccontextmanager
async def _mail_server() -> AsyncIterator[int]:
    """The port of a sandbox mail server in a process of its own, which ends with this one."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "orchestrator.sandbox.smtp", "--port", "0"),
        stdout=asyncio.subprocess.PIPE,
        preexec_fn=child_setup(signal.SIGKILL),
        start_new_session=True,
    )
    assert child.stdout is not None
    try:
        yield json.loads(await child.stdout.readline())["port"]
    finally:
        with contextlib.suppress(ProcessLookupError):
            child.terminate()
        await child.wait()


async def _people_due(app: App, count: int, port: int) -> None:
    """`count` people of one sequence, their first messages planned, spread over the senders."""
    async with transaction(app.engine) as conn:
        now = await database_now(conn)
        for number in range(_SENDERS):
            await save_sender(
                *(conn, app.keys, app.channels),
                name=f"kari-{number}",
                values={
                    "address": f"kari{number}@fjordledger.example",
                    "display_name": world.SENDER_NAME,
                    "settings": {
                        "host": "127.0.0.1",
                        "port": port,
                        "security": "plain_without_encryption",
                    },
                    "daily_cap": 1_000_000,
                    "gap_seconds": 0,
                    "gap_jitter_seconds": 0,
                    "hours": {"days": "mon-sun", "hours": "00:00-24:00"},
                },
                now=now,
                new=True,
            )
        await publish_sequence(
            conn, text=_SEQUENCE, filename="profile.yaml", library=load_library(), now=now
        )
    file = app.settings.data_dir / "people.csv"
    await asyncio.to_thread(_write_people, file, count)
    await import_prospects(app, file, now=now)
    await enroll(app, sequence="profile", selection=Selection(), now=now)
    async with transaction(app.engine) as conn:
        now = await database_now(conn)
    while await plan(app, now):
        pass


def _write_people(file: Path, count: int) -> None:
    with file.open("w", newline="", encoding="utf-8") as opened:
        rows = csv.writer(opened)
        rows.writerow(("email", "first_name", "company", "company.domain", "fact.pain"))
        for number in range(count):
            name = f"office{number}"
            rows.writerow(
                (f"ola@{name}.example", "Ola", f"Office {number} AS", f"{name}.example",
                 "three open positions for keying in vouchers")
            )  # fmt: skip


async def _send(app: App, messages: int, say: Say) -> Profile:
    combiner, stop = Combiner(app.engine), asyncio.Event()
    sender = Sender(app, combiner, owner="profile")
    writer = asyncio.create_task(combiner.run())
    stages.reset()
    wall, cpu = time.perf_counter(), time.process_time()
    running = asyncio.create_task(sender.run(stop))
    try:
        await _until_sent(sender, messages, say)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    finally:
        stop.set()
        await running
        writer.cancel()
    return Profile(
        messages=messages,
        seconds=wall,
        per_second=messages / wall,
        cpu_us=cpu / messages * 1e6,
        connections=app.settings.send_connections,
        stages=rows(stages.found()),
    )


async def _until_sent(sender: Sender, messages: int, say: Say) -> None:
    moved, before = time.monotonic(), 0
    while sender.sent < messages:
        await asyncio.sleep(0.05)
        if sender.sent > before:
            moved, before = time.monotonic(), sender.sent
            say("Sending", before)
        elif time.monotonic() - moved > _STALLED_SECONDS:
            raise ProfileFailed(f"Nothing left for a minute, after {before} of {messages}.")


def rows(found: dict[str, stages.Stage]) -> list[StageRow]:
    """The table: in the order of a message's life."""
    whole = stages.total(found.values()) or 1.0
    return [
        StageRow(
            stage=name,
            about=stages.STAGES[name],
            messages=one.messages,
            seconds=one.seconds,
            us=one.seconds / one.messages * 1e6,
            share=one.seconds / whole,
        )
        for name, one in found.items()
    ]
