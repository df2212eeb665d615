"""Keeps child processes alive: starts them, passes their lines on, restarts what dies.

Every child gets a SIGKILL from the kernel when this process dies, however it dies; what they were
doing is safe in PostgreSQL.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from orchestrator.processes import child_setup

_FIRST_PAUSE = 0.5  # seconds before a restart; doubles each time
_LONGEST_PAUSE = 30.0
_STEADY = 30.0  # a child that lived this long starts over with the first pause
_PATIENCE = 12.0  # seconds between SIGTERM and SIGKILL; uvicorn's own is 10
_LONGEST_LINE = 1 << 20


@dataclass(frozen=True)
class Child:
    """One program: `name` stands before its lines, `arguments` follow the Python interpreter."""

    name: str
    arguments: tuple[str, ...]


class Supervisor:
    """Runs children until `stop` is set. `say(name, line)` gets each line that they write."""

    def __init__(self, env: Mapping[str, str], say: Callable[[str, str], None]) -> None:
        self.stop = asyncio.Event()
        self._env = dict(env)
        self._say = say

    async def keep(self, child: Child) -> None:
        """Run `child`, again and again, until `stop`; then end it and return."""
        pause = _FIRST_PAUSE
        while not self.stop.is_set():
            started = time.monotonic()
            code = await self._once(child)
            if self.stop.is_set():
                return
            if time.monotonic() - started > _STEADY:
                pause = _FIRST_PAUSE
            self._say(child.name, f"ended with {code}; starts again in {pause:g} s")
            with suppress(TimeoutError):
                await asyncio.wait_for(self.stop.wait(), pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _once(self, child: Child) -> int:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *child.arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=self._env,
            limit=_LONGEST_LINE,
            preexec_fn=child_setup(signal.SIGKILL),
            process_group=0,  # a Ctrl-C at the terminal is ours to pass on
        )
        lines = asyncio.create_task(self._follow(child.name, process))
        stopping = asyncio.create_task(self.stop.wait())
        try:
            await asyncio.wait({lines, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not lines.done():
                await self._end(process)
        finally:
            stopping.cancel()
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)  # whatever it had started itself
        await lines
        return await process.wait()

    async def _follow(self, name: str, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        while True:
            try:
                line = await process.stdout.readline()
            except ValueError:
                self._say(name, "(a line that is too long)")
                continue
            if not line:
                return
            self._say(name, line.decode(errors="replace").rstrip())

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), _PATIENCE)
        except TimeoutError:
            with suppress(ProcessLookupError):
                process.kill()
