"""Several of everything at once, and a deploy: old and new versions side by side, a migration in
between."""

import io
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from orchestrator.db import transaction
from tests.faults import audit
from tests.faults.evidence import MailDoor
from tests.faults.harness import ROOT, Process, Town, town
from tests.faults.scenario import Outcome, Size, say, scenario
from tests.faults.scenarios.redis import Sequence

PEOPLE = {"quick": 300, "full": 2000}
WORKERS, DOORS = 3, 2
SLOWLY = {"AVTALE_SEND_CONNECTIONS": "3"}  # so that every phase of a deploy sees messages leave


@scenario("deploy.several", quick=True, minutes=6)
def several(size: Size) -> Outcome:
    """Several workers, each with planner, sender, sweeper and reconciler of its own, and several
    API processes on one database: each message leaves once, whoever takes it."""
    people = PEOPLE[size]
    with town() as made:
        doors = [MailDoor(made) for _ in range(DOORS)]
        for _ in range(WORKERS):
            made.start("worker")
        made.populate(people, lanes=8)
        for door in doors:
            door.post(STRANGER.encode())
        made.wait(lambda: made.states()["sent"] == people, seconds=180, what="sending")
        found = audit.tally(made, expected=people)
        by = [count for (count,) in made.query(_BY_WORKER)]
        ((planned,),) = made.query("select count(*) from history where kind = 'message.planned'")
        ((kept,),) = made.query("select count(*) from provider_events")
    faults = audit.judge(found, in_doubt_at_most=0)
    if planned != people:
        faults += (f"{planned} messages were planned for {people} people",)
    if kept != DOORS:
        faults += (f"{kept} of {DOORS} mails were kept",)
    figures = {
        "processes": f"{WORKERS} workers, {DOORS} API processes",
        "planned": planned,
        "handed over by each worker": ", ".join(str(count) for count in by),
    }
    return Outcome("deploy.several", found, figures, faults)


_BY_WORKER = (
    "select count(*) from history where kind = 'message.sending' group by detail->>'worker'"
    " order by 1 desc"
)
STRANGER = (
    "From: x@stranger.example\r\nTo: kari@sender.example\r\nSubject: Hi\r\n"
    "Message-ID: <1@stranger.example>\r\n\r\nHello\r\n"
)


@contextmanager
def old_version() -> Iterator[tuple[Path, str]]:
    """A tree of the newest version before the two newest migrations that starts, and its commit."""
    second = sorted((ROOT / "migrations" / "versions").glob("v[0-9]*.py"))[-2]
    named = str(second.relative_to(ROOT))
    added = git("log", "--diff-filter=A", "--format=%h", "-1", "--", named).decode().strip()
    if not added:
        raise RuntimeError(f"{named} is not committed: there is no version before it")
    before = git("log", "--format=%h", f"-{2**_TRIED}", f"{added}~1").decode().split()
    tried = [before[2**n - 1] for n in range(_TRIED) if 2**n <= len(before)]  # 1, 2, 4, 8 back
    home = Path(tempfile.mkdtemp(prefix="avtale-old-"))
    try:
        for commit in tried:
            tree = home / commit
            with tarfile.open(fileobj=io.BytesIO(git("archive", commit))) as files:
                files.extractall(tree, filter="data")
            if starts(tree):
                yield tree, commit
                return
        raise RuntimeError(f"none of {tried}, before {named}, starts")
    finally:
        shutil.rmtree(home, ignore_errors=True)


_TRIED = 7
_STARTS = """
import orchestrator.cli, orchestrator.worker, orchestrator.wiring
from alembic.script import ScriptDirectory
from orchestrator import migrate
list(ScriptDirectory.from_config(migrate.config()).walk_revisions())
"""


def starts(tree: Path) -> bool:
    """Whether a worker of this tree finds all its modules, and its migrations are one chain: not
    every commit of a day has them."""
    done = subprocess.run(
        [sys.executable, "-c", _STARTS],
        cwd=tree,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(tree)},
        capture_output=True,
    )
    return done.returncode == 0


def git(*words: str) -> bytes:
    """What a git command says."""
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, check=True)
    return done.stdout


def at_old_schema(made: Town, tree: Path) -> str:
    """Bring the town's empty database to the schema of the old version; which that is."""

    async def empty(engine: AsyncEngine) -> None:
        async with transaction(engine) as conn:
            await conn.execute(text("drop schema public cascade"))
            await conn.execute(text("create schema public"))

    made.with_engine(empty)
    command = [sys.executable, "-m", "orchestrator.cli", "migrate"]
    done = subprocess.run(
        command, cwd=tree, env=made.env | {"PYTHONPATH": str(tree)}, capture_output=True, text=True
    )
    if done.returncode:
        raise RuntimeError(f"the old version does not migrate: {done.stderr[-500:]}")
    return schema(made)


def schema(made: Town) -> str:
    """The migration that the database is at."""
    ((found,),) = made.query("select version_num from alembic_version")
    return str(found)


@scenario("deploy.versions", quick=False, minutes=6)
def versions(size: Size) -> Outcome:
    """A rolling deploy under load: workers of the version before the two newest migrations send,
    these run, workers of this version start beside them, and the old ones are asked to stop
    one by one. Doorbells of both versions go through one Redis."""
    part = PEOPLE[size] // 3
    with old_version() as (tree, commit), town(**SLOWLY) as made:
        before = at_old_schema(made, tree)
        old = [made.start("worker", PYTHONPATH=str(tree)) for _ in range(2)]
        sequence = Sequence(made)
        sequence.fall_due(part)
        reach(made, part // 2)
        say(f"{commit} sends; migrating from {before}")
        sequence.fall_due(part)
        began = time.monotonic()
        migrating = made.run("migrate")
        took, after, during = time.monotonic() - began, schema(made), made.count()
        new = [made.start("worker") for _ in range(2)]
        made.wait(lambda: beating(made) == 4, seconds=60, what="the start of the new ones")
        sequence.fall_due(part)
        reach(made, during + part // 4)
        codes = [end(one) for one in old]
        made.wait(lambda: made.states()["sent"] == 3 * part, seconds=120, what="sending")
        found = audit.tally(made, expected=3 * part)
        ((new_ones,),) = made.query(_BY_NEW)
        alive = [one.poll() is None for one in new]
    faults = audit.judge(found, in_doubt_at_most=0)
    if migrating.returncode:
        faults += (f"the migration failed: {migrating.stderr[-300:]}",)
    if any(codes) or not all(alive):
        faults += (f"old workers ended with {codes}; new workers alive: {alive}",)
    if before == after or not new_ones:
        faults += (f"nothing overlapped: {before}, {after}, {new_ones} by the new version",)
    figures = {
        "versions": f"{commit} at {before}, then this one at {after}",
        "taken when the migration had run": during,
        "migration, with imports (s)": took,
        "handed over by workers of this version": new_ones,
    }
    return Outcome("deploy.versions", found, figures, faults)


def beating(made: Town) -> int:
    """How many workers live."""
    ((found,),) = made.query(
        "select count(*) from heartbeats where beat_at > clock_timestamp() - interval '20 seconds'"
    )
    return int(found)


# The old ones are gone by then, and took their heartbeats with them.
_BY_NEW = (
    "select count(*) from history h join heartbeats b on b.worker = h.detail->>'worker'"
    " where h.kind = 'message.sending'"
)


def reach(made: Town, goal: int) -> None:
    """Wait until the sink has taken `goal` messages."""
    made.wait(lambda: made.count() >= goal, seconds=120, what=f"reaching {goal}")


def end(worker: Process) -> int:
    """Ask a worker to stop, and wait for its end."""
    worker.send_signal(15)
    return worker.wait(60)
