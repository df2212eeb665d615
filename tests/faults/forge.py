"""Start processes of Avtale in milliseconds: fork them from one that has imported everything.

Importing costs a process about a second of CPU, and a suite that kills a thousand workers spends
its time there. What is forked is a process as real as any other: own connections, own loop, own
log, killed by `kill -9` like the rest. Whoever needs a fresh interpreter (another tree, LD_PRELOAD)
uses `Town.start(..., fresh=True)`.

    python -m tests.faults.forge     (reads one JSON line a process from stdin, answers with pids)
"""

import ctypes
import importlib
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_IMPORTS = {
    "worker": ("uvloop", "asyncpg.protocol", "sqlalchemy.dialects.postgresql.asyncpg",
               "orchestrator.worker", "aiosmtplib"),
    "api": ("uvicorn.workers", "orchestrator.api.app"),
}  # fmt: skip


class Forked:
    """A forked process, with the part of Popen's face that tests use."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        if self.returncode is None:
            done, status = os.waitpid(self.pid, os.WNOHANG)
            if done:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end. Raises subprocess.TimeoutExpired."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if deadline is not None and time.monotonic() > deadline:
                assert timeout is not None
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout)
            time.sleep(0.005)
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it ended already."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)


class Forge:
    """The process that forks, and what asks it to."""

    def __init__(self, root: Path) -> None:
        # What the forge forks is handed to us, so that we can wait for it.
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self._child = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.forge"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=root,
            env=os.environ | {"PYTHONPATH": str(root)},
        )

    def start(self, command: tuple[str, ...], env: dict[str, str], log: Path) -> Forked:
        """Fork `avtale <command>` with this environment and this log."""
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        asked = {"command": command, "env": env, "log": str(log), "parent": os.getpid()}
        self._child.stdin.write(json.dumps(asked).encode() + b"\n")
        self._child.stdin.flush()
        answer = self._child.stdout.readline()
        if not answer:
            raise RuntimeError("the code cannot be imported: its traceback is above")
        return Forked(int(answer))

    def close(self) -> None:
        """End the forge; what it forked goes on."""
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe is not None:
                pipe.close()
        self._child.kill()
        self._child.wait()


def _become(command: list[str], env: dict[str, str], log: str, parent: int) -> NoReturn:
    # We were born twice: wait until the one between is gone and the suite is our parent, which
    # takes us with it when it dies.
    while os.getppid() != parent:
        time.sleep(0.001)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (handle, 1), (handle, 2)):
        os.dup2(source, target)
    os.closerange(3, 256)
    os.environ.clear()
    os.environ.update(env)
    sys.argv = ["avtale", *command]
    code = 0
    try:
        importlib.import_module("orchestrator.cli").main()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _fork(asked: dict[str, object]) -> int:
    """Fork twice, so that the suite and not the forge is the parent; returns the pid."""
    reading, writing = os.pipe()
    between = os.fork()
    if between == 0:
        pid = os.fork()
        if pid == 0:
            _become(**asked)  # type: ignore[arg-type]  # the fields that Forge.start wrote
        os.write(writing, str(pid).encode())
        os._exit(0)
    os.close(writing)
    os.waitpid(between, 0)
    with os.fdopen(reading) as answer:
        return int(answer.read())


def main() -> None:
    """Import once, then fork for every line."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    importlib.import_module("orchestrator.cli")
    for line in sys.stdin.buffer:
        asked = json.loads(line)
        for name in _IMPORTS.get(asked["command"][0], ()):
            with suppress(ModuleNotFoundError):
                importlib.import_module(name)
        sys.stdout.write(f"{_fork(asked)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
