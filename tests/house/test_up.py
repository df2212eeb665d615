"""`avtale up` as a person starts it: a real process, real servers, real signals."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator import processes
from orchestrator.embedded import Embedded
from tests.conftest import url_of

CLI = (sys.executable, "-m", "orchestrator.cli")


def free_port() -> int:
    """A port that nobody has just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class House:
    """One data directory and the `avtale up` on it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.port = free_port()
        self.log = home.parent / "up.log"
        clean = {k: v for k, v in os.environ.items() if not k.startswith("AVTALE_")}
        self.env = clean | {
            "AVTALE_DATA_DIR": str(home),
            "AVTALE_PORT": str(self.port),
            "AVTALE_ENV_FILE": "",
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait for its banner."""
        with self.log.open("wb") as log:
            self.process = subprocess.Popen([*CLI, "up"], env=self.env, stdout=log, stderr=log)
        deadline = time.monotonic() + 60
        while "Avtale is up" not in self.log.read_text():
            assert self.process.poll() is None, self.log.read_text()[-2000:]
            assert time.monotonic() < deadline, self.log.read_text()[-2000:]
            time.sleep(0.05)

    def end(self, with_signal: int) -> tuple[int, float]:
        """Send a signal; the exit code and how long it took."""
        assert self.process is not None
        started = time.monotonic()
        self.process.send_signal(with_signal)
        return self.process.wait(30), time.monotonic() - started

    def run(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Another command on the same data directory."""
        return subprocess.run(
            [*CLI, *arguments], env=self.env | env, capture_output=True, text=True, timeout=60
        )

    def family(self) -> list[int]:
        """Every process whose command line or environment names the data directory."""
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            try:
                told = (entry / "environ").read_bytes() + b" "
            except OSError:
                told = b""
            told += processes.command_of(int(entry.name)).encode()
            if str(self.home).encode() in told:
                found.append(int(entry.name))
        return found

    def all_gone(self, seconds: float = 10) -> bool:
        """Whether nothing of it is left, soon."""
        deadline = time.monotonic() + seconds
        while self.family() and time.monotonic() < deadline:
            time.sleep(0.05)
        return self.family() == []


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A house that is down again at the end, whatever the test did."""
    made = House(tmp_path / "data")
    yield made
    if made.process is not None and made.process.poll() is None:
        made.process.kill()
        made.process.wait(10)
    assert made.all_gone(), "something outlived `avtale up`"


def test_up_serves_is_found_by_other_commands_refuses_a_second_and_ends_on_ctrl_c(
    house: House,
) -> None:
    house.start()
    with urllib.request.urlopen(f"http://127.0.0.1:{house.port}/readyz", timeout=5) as answer:
        assert json.load(answer)["status"] == "ready"

    second = house.run("up")  # not the port, which is taken as well, is what is wrong
    assert second.returncode == 2
    assert "Another avtale already runs on" in second.stderr

    made = house.run("key", "create", "me", "--scope", "*")
    assert made.returncode == 0, made.stderr
    secrets = (house.home / "secret.key", house.home / "mail.secret", house.home / "endpoints.json")
    assert [path.stat().st_mode & 0o777 for path in secrets] == [0o600] * 3

    code, seconds = house.end(signal.SIGINT)
    assert code == 0, house.log.read_text()[-2000:]
    assert seconds < 8
    assert house.all_gone()
    assert not (house.home / "endpoints.json").exists()

    key_before = (house.home / "secret.key").read_text()
    house.start()  # the second start finds the data and the secret
    listed = house.run("key", "list", "--json")
    assert [row["name"] for row in json.loads(listed.stdout)] == ["me"]
    assert (house.home / "secret.key").read_text() == key_before
    assert house.end(signal.SIGTERM)[0] == 0


def test_a_kill_leaves_nothing_behind_and_the_next_start_goes_well(house: House) -> None:
    house.start()
    assert len(house.family()) >= 4
    assert house.end(signal.SIGKILL)[0] == -signal.SIGKILL
    assert house.all_gone()
    house.start()
    assert house.end(signal.SIGTERM)[0] == 0


def test_a_child_that_is_killed_comes_back(house: House) -> None:
    house.start()
    workers = [
        pid for pid in house.family() if "orchestrator.cli worker" in processes.command_of(pid)
    ]
    assert len(workers) == 1
    os.kill(workers[0], signal.SIGKILL)
    deadline = time.monotonic() + 10
    while "worker | ended with -9" not in house.log.read_text() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert "worker | ended with -9; starts again" in house.log.read_text()
    assert house.end(signal.SIGTERM)[0] == 0


def test_a_redis_that_is_killed_comes_back(house: House) -> None:
    house.start()
    (valkey,) = [pid for pid in house.family() if "valkey-server" in processes.command_of(pid)]
    os.kill(valkey, signal.SIGKILL)
    deadline = time.monotonic() + 20
    while "ended; started again" not in house.log.read_text() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert "redis  | ended; started again" in house.log.read_text()
    (again,) = [pid for pid in house.family() if "valkey-server" in processes.command_of(pid)]
    assert again != valkey
    time.sleep(1.5)  # it outlives whoever started it
    assert processes.command_of(again)
    assert house.end(signal.SIGTERM)[0] == 0


def test_up_without_its_redis_works_and_says_so(house: House) -> None:
    house.env["AVTALE_REDIS_URL"] = "redis://127.0.0.1:1/0"
    house.start()
    with urllib.request.urlopen(f"http://127.0.0.1:{house.port}/readyz", timeout=5) as answer:
        assert (answer.status, json.load(answer)["status"]) == (200, "degraded")
    deadline = time.monotonic() + 20
    while "Redis does not answer" not in house.log.read_text() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert "messages leave by the sweeper" in house.log.read_text()
    assert house.end(signal.SIGTERM)[0] == 0


def test_a_database_of_ones_own_must_be_migrated(house: House, servers: Embedded) -> None:
    empty = url_of(servers, "postgres")
    refused = house.run("up", AVTALE_DATABASE_URL=empty)
    assert refused.returncode == 2
    assert "run `avtale migrate`" in refused.stderr


def test_a_port_that_is_taken_is_refused_in_words(house: House) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", house.port))
        other.listen()
        refused = house.run("up")
    assert refused.returncode == 2
    assert "set AVTALE_PORT" in refused.stderr


def test_the_first_start_prints_a_link_that_claims_the_instance_once(house: House) -> None:
    def link() -> str:
        deadline = time.monotonic() + 30
        while "Other commands find it" not in house.log.read_text():  # what stands after the link
            assert time.monotonic() < deadline, house.log.read_text()[-2000:]
            time.sleep(0.05)
        found = re.search(r"http://\S+/console/claim/\S+", house.log.read_text())
        return found[0] if found else ""

    def opened(address: str, **form: str) -> int:
        body = urllib.parse.urlencode(form).encode() if form else None
        origin = f"http://127.0.0.1:{house.port}"
        request = urllib.request.Request(address, body, {"Origin": origin})
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    house.start()
    first = link()
    assert opened(first) == 200
    assert house.end(signal.SIGTERM)[0] == 0
    house.start()  # nobody has claimed it: the next start prints another link
    second = link()
    assert opened(first) == 404
    who = {"name": "Kari", "email": "kari@office.example", "password": "en lang og god setning"}
    assert opened(second, **who) == 200
    assert opened(second) == 404
    assert house.end(signal.SIGTERM)[0] == 0
    house.start()
    assert link() == ""
    assert house.end(signal.SIGTERM)[0] == 0
