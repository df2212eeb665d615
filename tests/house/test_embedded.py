"""The embedded servers: one owner, no orphans, the data found again."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from orchestrator import processes
from orchestrator.embedded import Embedded
from orchestrator.errors import SetupError

HOLD = """
import sys, time
from pathlib import Path
from orchestrator.embedded import Embedded
embedded = Embedded(Path(sys.argv[1]))
embedded.start()
print("up", flush=True)
time.sleep(600)
"""


def servers_on(home: Path) -> list[int]:
    """Servers whose command line names `home`."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            command = processes.command_of(int(entry.name))
            program = command.partition(" ")[0]
            if str(home) in command and program.endswith(("postgres", "valkey-server")):
                found.append(int(entry.name))
    return found


def wait_gone(home: Path, seconds: float = 15) -> list[int]:
    """What is still there after `seconds` at most."""
    deadline = time.monotonic() + seconds
    while (left := servers_on(home)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A data directory with a short name."""
    yield tmp_path / "data"
    assert wait_gone(tmp_path / "data") == []


async def _query(url: str, statement: str) -> object:
    conn = await asyncpg.connect(url)
    try:
        return await conn.fetchval(statement)
    finally:
        await conn.close()


def query(embedded: Embedded, statement: str) -> object:
    """One value from the embedded database."""
    return asyncio.run(_query(embedded.endpoints.database_url, statement))


def test_the_second_start_finds_the_data_and_a_third_beside_it_is_refused(home: Path) -> None:
    with Embedded(home) as first:
        query(first, "create table kept as select 42 as n")
        with pytest.raises(SetupError, match="Another avtale already runs"):
            Embedded(home).start()
        assert home.stat().st_mode & 0o777 == 0o700
    with Embedded(home) as second:
        assert query(second, "select n from kept") == 42


def test_a_parent_killed_leaves_no_server_and_the_next_start_goes_well(home: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(home)], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    with parent.stdout:
        try:
            assert parent.stdout.readline() == "up\n"
            # Two, or more: what PostgreSQL has just forked still bears its command line.
            assert len(servers_on(home)) >= 2
        finally:
            parent.kill()
            parent.wait(5)
    with Embedded(home) as again:  # at once: it waits for the orphans itself
        assert query(again, "select 1") == 1


def test_a_start_killed_while_making_the_cluster_leaves_nothing_half_made(home: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", HOLD, str(home)], stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 20
    while not (home / "postgres.new" / "base").exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    parent.send_signal(signal.SIGKILL)
    parent.wait(5)
    assert not (home / "postgres").exists()
    with Embedded(home) as again:
        assert query(again, "select current_database()") == "avtale"


def test_a_directory_of_somebody_else_is_refused(home: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can make a directory of somebody else's")
    home.mkdir()
    os.chown(home, 12345, 12345)
    with pytest.raises(SetupError, match="belongs to another account"):
        Embedded(home).start()


def test_postgres_killed_recovers_at_the_next_start(home: Path) -> None:
    with Embedded(home) as first:
        query(first, "create table kept as select 7 as n")
        pid = int((home / "postgres" / "postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGKILL)
    with Embedded(home) as second:
        assert query(second, "select n from kept") == 7
