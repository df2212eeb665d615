"""Servers and rows for measurements: an embedded PostgreSQL and Redis, a sink, people to mail."""

import asyncio
import atexit
import gc
import os
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from shutil import copytree, ignore_patterns, rmtree
from typing import Any
from uuid import UUID

from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator import migrate
from orchestrator.clock import database_now
from orchestrator.config import Settings
from orchestrator.db import transaction
from orchestrator.embedded import Embedded
from orchestrator.flows.plan import plan
from orchestrator.ids import uuid7
from orchestrator.loading import loading
from orchestrator.models.messages import lanes, senders
from orchestrator.processes import child_setup
from orchestrator.wiring import App, open_app
from tests import make
from tests.faults.harness import enroll_people

ROOT = Path(__file__).parents[1]
SECRET = "a secret of the benchmarks, longer than 32 bytes"
# What a careful first mail looks like: facts, a link, a footer, text and HTML.
LETTER = {
    "subject": "{{ company.name }} and the vouchers",
    "text": (
        "Hi {{ first_name }},\n\nI read that {{ company.name }} still keys in vouchers by hand. "
        "Offices of your size tell us that this takes them two days a month, and that the last "
        "of them is spent on looking for what does not add up.\n\nThree of them wrote down how "
        "they changed that: https://www.example.com/vouchers?from=mail\n\nWould it be worth twenty "
        "minutes to see whether it fits you? Answer when it suits you, and if it does not, say so "
        "and I shall not write again.\n\nKind regards\nKari\n"
    ),
}
ONE_STEP = make.PROGRAM | {
    "first": "hello",
    "steps": [make.PROGRAM["steps"][0] | {"wordings": {"en": LETTER}, "next": "end"}],
}


_laid_out: Path | None = None  # a data directory that was migrated once, to be copied


async def _lay_out(data: Path) -> None:
    """A migrated data directory at `data`: made once a run, since that takes as long as a path.

    Here and below servers start and stop in this thread: one that went on after its await was
    cancelled would leave them behind.
    """
    global _laid_out
    if _laid_out is None:
        home = Path(tempfile.mkdtemp(prefix="avtale-bench-"))
        atexit.register(rmtree, home, ignore_errors=True)
        embedded = Embedded(home / "data")
        try:
            endpoints = embedded.start()
            await migrate.upgrade(endpoints.database_url)
        finally:
            embedded.stop()
        _laid_out = home / "data"
    left_out = ignore_patterns("run", "*.lock", "*.pid", "*.log")
    copytree(_laid_out, data, symlinks=True, ignore=left_out)


@asynccontextmanager
async def servers() -> AsyncIterator[Settings]:
    """PostgreSQL and Redis of their own, migrated, and settings that point at them."""
    home = Path(tempfile.mkdtemp(prefix="avtale-bench-"))
    embedded = Embedded(home / "data")
    try:
        await _lay_out(home / "data")
        endpoints = embedded.start()
        yield Settings(
            _env_file=None,
            database_url=endpoints.database_url,
            redis_url=endpoints.redis_url,
            secret_key=SECRET,
            organisation="Avtale Bench AS",
            postal_address="Storgata 1, 0155 Oslo",
            base_url="https://avtale.example.com",
            log_level="ERROR",
        )
    finally:
        embedded.stop()
        rmtree(home, ignore_errors=True)


@asynccontextmanager
async def sink(*arguments: str) -> AsyncIterator[int]:
    """The port of a `bench.sink` in a process of its own."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.sink", *arguments),
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
        preexec_fn=child_setup(signal.SIGKILL),
        start_new_session=True,  # a Ctrl-C at the terminal is ours to pass on
    )
    assert child.stdout is not None
    try:
        yield int(await child.stdout.readline())
    finally:
        with suppress(ProcessLookupError):
            child.send_signal(signal.SIGTERM)
        await child.wait()


@asynccontextmanager
async def product(**changes: Any) -> AsyncIterator[App]:
    """The product's parts on servers of their own."""
    async with servers() as settings, open_app(settings.model_copy(update=changes)) as app:
        with loading():  # as a worker does: what it loaded is left out of the collector's looks
            gc.collect()
        yield app


async def add_senders(conn: AsyncConnection, count: int, port: int, **values: Any) -> list[UUID]:
    """Sender accounts that all hand over to the sink at `port`."""
    made = [uuid7() for _ in range(count)]
    await conn.execute(
        insert(senders),
        [
            {
                "id": one,
                "name": f"seat-{number}",
                "channel": "email",
                "address": f"kari{number}@sender.example",
                "hours": {"days": "mon-sun", "hours": "00:00-24:00"},
                "daily_cap": 1_000_000,
                "gap_seconds": 0,
                "gap_jitter_seconds": 0,
                "settings": {
                    "host": "127.0.0.1",
                    "port": port,
                    "security": "plain_without_encryption",
                },
            }
            | values
            for number, one in enumerate(made)
        ],
    )
    await conn.execute(insert(lanes), [{"sender_id": one} for one in made])
    return made


async def people_due(app: App, count: int, seats: int, port: int, **values: Any) -> list[UUID]:
    """`count` planned first messages, spread evenly over `seats` senders. Returns the senders."""
    async with transaction(app.engine) as conn:
        world = await make.world(conn, program=ONE_STEP)
        owners = await enroll_people(conn, world, count)
        made = await add_senders(conn, seats, port, **values)
        await conn.execute(
            text(
                "update enrollments e set sender_id = w.seat from unnest(cast(:owners as uuid[]), "
                "cast(:seats as uuid[])) as w(owner, seat) where e.prospect_id = w.owner"
            ),
            {"owners": owners, "seats": [made[n % seats] for n in range(count)]},
        )
        now = await database_now(conn)
    while await plan(app, now):
        pass
    await due_again(app)
    return made


async def due_again(app: App) -> None:
    """Every message planned and not frozen, as if none had been sent yet."""
    async with transaction(app.engine) as conn:
        await conn.execute(text("truncate frozen, links cascade"))
        await conn.execute(text("alter table messages disable trigger message_transition"))
        await conn.execute(
            text("""update messages set state = 'pending', fence = 0, attempt = 0,
              lease_owner = null, lease_until = null, handed_at = null, settled_at = null,
              due_at = now() - interval '1 minute'""")
        )
        await conn.execute(text("alter table messages enable trigger message_transition"))
        await conn.execute(
            text("""update enrollments e set state = 'sending', step = 'hello', ended_at = null,
              stop_reason = null from messages m where m.enrollment_id = e.id""")
        )
        await conn.execute(text("update lanes set free_at = now(), used = 0, parked_until = null"))
    async with app.engine.connect() as conn:
        auto = await conn.execution_options(isolation_level="AUTOCOMMIT")
        await auto.execute(text("vacuum analyze messages, enrollments, frozen, links, lanes"))


class Clock:
    """Wall and CPU seconds of this process since it was made."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self._wall

    @property
    def cpu(self) -> float:
        return time.process_time() - self._cpu


def machine(cores: Sequence[int] = ()) -> dict[str, Any]:
    """What the figures were taken on."""
    return {"cpus": os.cpu_count(), "python": sys.version.split()[0], "load": os.getloadavg()}
