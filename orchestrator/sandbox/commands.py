"""Runs `avtale ...` as a person at a terminal would, for the demo."""

import asyncio
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Ended:
    """What a command said and how it ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def value(self) -> Any:
        """Its JSON."""
        return json.loads(self.stdout)


class CommandFailed(RuntimeError):
    """A command of the demo ended otherwise than it should."""


class Commands:
    """The command line of one installation."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = dict(env)

    async def __call__(self, *arguments: str, code: int = 0, stdin: str | None = None) -> Ended:
        """Run `avtale ARGUMENTS`. Raises CommandFailed when it does not end with `code`."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "orchestrator.cli", *arguments),
            stdin=asyncio.subprocess.DEVNULL if stdin is None else asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self._env,
        )
        stdout, stderr = await process.communicate(stdin.encode() if stdin else None)
        ended = Ended(process.returncode or 0, stdout.decode(), stderr.decode())
        if ended.code != code:
            said = (ended.stderr or ended.stdout).strip()[-600:]
            raise CommandFailed(f"`avtale {' '.join(arguments)}` ended with {ended.code}: {said}")
        return ended
