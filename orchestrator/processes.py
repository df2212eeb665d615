"""Children that do not outlive us, and what a parent that was killed left behind."""

import ctypes
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from orchestrator.errors import SetupError

_PR_SET_PDEATHSIG = 1
_CLONE_NEWUSER = 0x10000000
_ORPHAN_SECONDS = 60.0


def child_setup(death_signal: int, *, drop_root: bool = False) -> Callable[[], None]:
    """What runs in a child between fork and exec: `death_signal` reaches it when we die.

    Linux only, elsewhere it does nothing. The kernel counts the death of the *thread* that started
    the child, so start children from the main thread.
    """
    libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
    parent = os.getpid()

    def setup() -> None:
        if libc is None:
            return
        # PostgreSQL refuses uid 0. In a user namespace of its own, this uid is called 1000,
        # so no directory has to be opened to another account.
        if drop_root and libc.unshare(_CLONE_NEWUSER) == 0:
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/uid_map").write_text("1000 0 1")
            Path("/proc/self/gid_map").write_text("1000 0 1")
        libc.prctl(_PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return setup


def command_of(pid: int) -> str:
    """The command line of a process, or an empty string."""
    if Path("/proc/self/cmdline").exists():
        try:
            return Path(f"/proc/{pid}/cmdline").read_text(errors="replace").replace("\0", " ")
        except OSError:
            return ""
    done = subprocess.run(["ps", "-p", str(pid), "-o", "command="], capture_output=True, text=True)
    return done.stdout


def end_orphan(pid_file: Path, mark: str, with_signal: int) -> None:
    """Wait for the server of a parent that was killed: it may still be writing its last page.

    Whoever calls this holds the directory's lock, so a server of ours that is alive is an orphan.
    """
    try:
        pid = int(pid_file.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return
    deadline = time.monotonic() + _ORPHAN_SECONDS
    told = False
    while mark in command_of(pid):
        if not told:
            os.kill(pid, with_signal)
            told = True
        if time.monotonic() > deadline:
            raise SetupError(f"Process {pid} still holds {pid_file.parent}: end it and try again.")
        time.sleep(0.02)


def end(child: "subprocess.Popen[bytes] | None", with_signal: int) -> None:
    """Ask `child` to end, wait for it, and insist after 30 s. Nothing when it ended already."""
    if child is None or child.poll() is not None:
        return
    child.send_signal(with_signal)
    try:
        child.wait(30)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
