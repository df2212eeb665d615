"""Real processes for fault tests: PostgreSQL, Redis, a sink with a ledger, workers that get killed.

Everything listens on loopback or unix sockets, is bounded, and is taken down at the end.
"""

import asyncio
import atexit
import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncEngine

from orchestrator import migrate
from orchestrator.db import make_engine, transaction
from orchestrator.embedded import Embedded
from orchestrator.ids import uuid7
from orchestrator.keys import Keys
from orchestrator.models.messages import lanes as sender_lanes
from orchestrator.models.people import companies, identities, prospects
from orchestrator.models.sequences import enrollments
from tests import make
from tests.channels.slack_server import SECRETS, WORKSPACE
from tests.faults.forge import Forge, Forked

ROOT = Path(__file__).parents[2]
SECRET = "a secret of the fault tests, longer than 32 bytes"
ONE_STEP = make.PROGRAM | {
    "first": "hello",
    "steps": [make.PROGRAM["steps"][0] | {"next": "end"}],
}

LONG_AGO = make.NOW.replace(year=2025)

Process = subprocess.Popen[bytes] | Forked


@functools.cache
def forge() -> Forge:
    """The one forge of this process."""
    made = Forge(ROOT)
    atexit.register(made.close)
    return made


@functools.cache
def migrated() -> Path:
    """A PostgreSQL cluster at the newest migration, for towns to copy: made once, in two seconds
    that each town would take otherwise."""
    home = Path(tempfile.mkdtemp(prefix="avtale-cluster-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    with Embedded(home, redis=False, postgres_options=("fsync=off",)) as servers:
        asyncio.run(migrate.upgrade(servers.endpoints.database_url))
    return home / "postgres"


@dataclass(frozen=True)
class Taken:
    """One line of the ledger: what the sink took, for whom, and when (seconds since the epoch)."""

    message_id: str
    recipient: str
    at: float


@dataclass
class Town:
    """The servers, the sink and the world of one fault test."""

    home: Path
    servers: Embedded
    sink_port: int
    ledger: Path
    env: dict[str, str]
    processes: list[Process] = field(default_factory=list)
    world: make.World | None = None
    senders: tuple[UUID, ...] = ()
    channel: str = "email"

    def start(self, *command: str, fresh: bool = False, **env: str) -> Process:
        """Start `avtale <command>`; its log goes to a file of the town.

        Forked from a process that has imported everything already; `fresh`: an interpreter of its
        own (another PYTHONPATH, LD_PRELOAD), which costs a second of CPU more.
        """
        log = self.home / f"{command[0]}-{len(self.processes)}.log"
        if fresh or {"PYTHONPATH", "LD_PRELOAD"} & set(env):
            with log.open("wb") as lines:
                child: Process = subprocess.Popen(
                    [sys.executable, "-m", "orchestrator.cli", *command],
                    env=self.env | env,
                    cwd=env.get("PYTHONPATH", ROOT),  # `-m` looks there first
                    stdout=lines,
                    stderr=lines,
                )
        else:
            child = forge().start(command, self.env | env, log)
        self.processes.append(child)
        return child

    def run(self, *command: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run `avtale <command>` to its end."""
        return subprocess.run(
            [sys.executable, "-m", "orchestrator.cli", *command],
            env=self.env | env,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def end_processes(self) -> None:
        """Kill every process of Avtale that still runs, and wait for its end."""
        for child in self.processes:
            child.send_signal(signal.SIGKILL)
            child.wait()

    def verify(self) -> None:
        """Raises AssertionError with what `avtale verify` finds wrong."""
        child = self.start("verify", "--json", "--settle", "1", AVTALE_LOG_LEVEL="ERROR")
        code = child.wait(120)
        told = (self.home / f"verify-{len(self.processes) - 1}.log").read_text()
        if code:
            found = json.loads(told[told.index("{") :]) if "{" in told else {}
            checks = Counter(one["check"] for one in found.get("differences", ()))
            print(told, file=sys.stderr)
            raise AssertionError(f"avtale verify found {dict(checks) or told[-500:]}")

    def taken(self) -> list[Taken]:
        """The sink's ledger, line by line: the ground truth."""
        text = self.ledger.read_text() if self.ledger.exists() else ""
        whole = text[: text.rfind("\n") + 1].splitlines()
        return [
            Taken(name, recipient, float(at))
            for name, recipient, at in (line.split("\t") for line in whole)
        ]

    def handed_over(self) -> Counter[str]:
        """How often each Message-ID was taken by the sink."""
        return Counter(one.message_id for one in self.taken())

    def count(self) -> int:
        """How many mails the sink took, read cheaply."""
        return self.ledger.read_bytes().count(b"\n") if self.ledger.exists() else 0

    def query(self, statement: str, **values: Any) -> list[Any]:
        """Rows of one query."""

        async def ask(engine: AsyncEngine) -> list[Any]:
            async with transaction(engine) as conn:
                return list((await conn.execute(text(statement), values)).all())

        return self.with_engine(ask)

    def with_engine(self, work: Callable[[AsyncEngine], Any]) -> Any:
        """Run `work` on an engine of this town."""

        async def run() -> Any:
            engine = make_engine(self.servers.endpoints.database_url, pool_size=2)
            try:
                return await work(engine)
            finally:
                await engine.dispose()

        return asyncio.run(run())

    def states(self) -> Counter[str]:
        """Messages by state."""
        return Counter(dict(self.query("select state, count(*) from messages group by 1")))

    def populate(
        self, people: int, *, lanes: int = 1, program: Any = ONE_STEP, **sender: Any
    ) -> None:
        """Senders to the sink, one a lane, and `people` prospects, enrolled and due."""
        settings = {
            "host": "127.0.0.1",
            "port": self.sink_port,
            "security": "plain_without_encryption",
        }
        if self.channel == "slack":
            settings = {
                "workspace": WORKSPACE,
                "base_url": f"http://127.0.0.1:{self.sink_port}/api/",
            }
            sealed = Keys(SECRET.encode()).seal(SECRETS)
            sender |= {"channel": "slack", "address": f"{WORKSPACE}:U0BOT", "secrets": sealed}
            step = ONE_STEP["steps"][0] | {"channels": ["slack"]}
            program = ONE_STEP | {"steps": [step]}

        async def fill(engine: AsyncEngine) -> None:
            async with transaction(engine) as conn:
                world = await make.world(conn, program=program, settings=settings, **sender)
                others = [await add_sender(conn, world, settings, n) for n in range(1, lanes)]
                self.world, self.senders = world, (world.sender, *others)

        self.with_engine(fill)
        if people:
            self.enroll(people)

    def enroll(self, people: int, *, due: datetime = LONG_AGO) -> None:
        """`people` prospects more, enrolled and due, with the senders in turn."""
        world, senders, channel = self.world, self.senders, self.channel
        assert world is not None

        async def fill(engine: AsyncEngine) -> None:
            async with transaction(engine) as conn:
                await enroll_people(conn, world, people, senders=senders, channel=channel, due=due)

        self.with_engine(fill)

    def wait(self, done: Callable[[], bool], *, seconds: float, what: str) -> None:
        """Until `done()`, at most `seconds`."""
        deadline = time.monotonic() + seconds
        while not done():
            if time.monotonic() > deadline:
                raise AssertionError(f"{what} took longer than {seconds} s: {self.trouble()}")
            time.sleep(0.1)

    def trouble(self) -> str:
        """Where things stand: the messages by state, and the ends of the newest logs."""
        logs = sorted(self.home.glob("*.log"), key=lambda path: path.stat().st_mtime)[-4:]
        ends = (f"--- {path.name}\n{path.read_text(errors='replace')[-1500:]}" for path in logs)
        return "\n".join([str(self.states()), *ends])


async def add_sender(conn: Any, world: make.World, settings: dict[str, Any], number: int) -> UUID:
    """One more mailbox like the world's, with a lane of its own."""
    made = uuid7()
    copied = "channel, display_name, daily_cap, gap_seconds, gap_jitter_seconds, hours, zone"
    await conn.execute(
        text(
            f"insert into senders (id, name, address, settings, {copied}) select :id, :name,"
            f" :address, cast(:settings as jsonb), {copied} from senders where id = :like"
        ),
        {
            "id": made,
            "name": f"kari-{number}",
            "address": f"kari-{number}@sender.example",
            "settings": json.dumps(settings),
            "like": world.sender,
        },
    )
    await conn.execute(insert(sender_lanes).values(sender_id=made))
    return made


async def enroll_people(
    conn: Any,
    world: make.World,
    count: int,
    *,
    senders: tuple[UUID, ...] = (),
    channel: str = "email",
    due: datetime = LONG_AGO,
) -> list[UUID]:
    """`count` prospects with an address each, enrolled in the world's sequence and due, with the
    senders in turn."""
    keys = Keys(SECRET.encode())
    company = uuid7()
    await conn.execute(insert(companies).values(id=company, name="Acme AS", key=str(company)))
    owners = [uuid7() for _ in range(count)]
    await conn.execute(
        insert(prospects),
        [
            {"id": one, "company_id": company, "first_name": "Ola", "zone": "Europe/Oslo"}
            for one in owners
        ],
    )
    addresses = [f"{one.hex}@prospect.example" for one in owners]
    await conn.execute(
        insert(identities),
        [
            {
                "id": uuid7(),
                "prospect_id": owner,
                "channel": channel,
                "address": address,
                "address_hash": keys.address_hash(channel, address),
            }
            for owner, address in zip(owners, addresses, strict=True)
        ],
    )
    await conn.execute(
        insert(enrollments),
        [
            {
                "id": uuid7(),
                "prospect_id": owner,
                "sequence_id": world.sequence,
                "version_id": world.version,
                "sender_id": (senders or (world.sender,))[n % max(1, len(senders))],
                "step": world.program.first,
                "due_at": due,
                "entered_step_at": due,
            }
            for n, owner in enumerate(owners)
        ],
    )
    return owners


def start_sink(home: Path, *arguments: str) -> tuple[subprocess.Popen[bytes], int]:
    """The sandbox's SMTP server as a process of its own; it keeps a ledger."""
    return _start_sink(
        *("orchestrator.sandbox.smtp", "--port", "0"),
        *("--ledger", str(home / "ledger.tsv"), *arguments),
    )


def _start_sink(*module: str) -> tuple[subprocess.Popen[bytes], int]:
    child = subprocess.Popen(
        [sys.executable, "-m", *module],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        cwd=ROOT,
    )
    assert child.stdout is not None
    return child, int(json.loads(child.stdout.readline())["port"])


@contextmanager
def town(
    *, sink: tuple[str, ...] = (), channel: str = "email", verify: bool = True, **env: str
) -> Iterator[Town]:
    """Servers, a sink (an SMTP server, or a Slack), and a clean end for all of them.

    What is left behind goes through `avtale verify` at the end, unless it is not ours to verify.
    Raises AssertionError with what that found.
    """
    home = Path(tempfile.mkdtemp(prefix="avtale-faults-"))
    shutil.copytree(migrated(), home / "data" / "postgres")
    servers = Embedded(home / "data")
    if channel == "slack":
        sink_process, port = _start_sink("tests.faults.slack_sink", str(home / "ledger.tsv"))
    else:
        sink_process, port = start_sink(home, *sink)
    made = Town(home, servers, port, home / "ledger.tsv", {}, channel=channel)
    try:
        endpoints = servers.start()
        made.env = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AVTALE_")},
            "PYTHONPATH": str(ROOT),
            "AVTALE_ENV_FILE": "",
            "AVTALE_DATABASE_URL": endpoints.database_url,
            "AVTALE_REDIS_URL": endpoints.redis_url,
            "AVTALE_SECRET_KEY": SECRET,
            "AVTALE_ORGANISATION": "Avtale Test AS",
            "AVTALE_LEASE_SECONDS": "5",
            "AVTALE_DOUBT_AFTER_SECONDS": "8",
            **env,
        }
        yield made
        made.end_processes()
        if verify:
            made.verify()
    finally:
        for child in (*made.processes, sink_process):
            if child.poll() is None:
                child.send_signal(signal.SIGKILL)
            child.wait()
        if sink_process.stdout is not None:
            sink_process.stdout.close()
        servers.stop()
        shutil.rmtree(home, ignore_errors=True)
