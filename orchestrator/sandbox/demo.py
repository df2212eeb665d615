"""The demo: everything with a sandbox to play in, or played by itself."""

import json
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from orchestrator import house
from orchestrator.config import Settings
from orchestrator.errors import SetupError
from orchestrator.house import environment, for_terminal, say
from orchestrator.sandbox import world
from orchestrator.sandbox.commands import CommandFailed, Commands
from orchestrator.sandbox.prospect import Prospect
from orchestrator.sandbox.rehearsal import Rehearsal

err = Console(stderr=True, highlight=False)


def run(
    data_dir: Path, *, auto: bool = False, fresh: bool = False, port: int | None, verbose: bool
) -> int:
    """Play until Ctrl-C, or to the end with `auto`. Returns the exit code."""
    with _home(data_dir, auto=auto, fresh=fresh) as home:
        level = "INFO" if verbose or not auto else "WARNING"
        settings = demo_settings(home, port or free_port(0 if auto else 8400), log_level=level)
        if auto:
            return _rehearse(settings, verbose=verbose)
        err.print("Starting PostgreSQL, Redis, a mail server, the API and a worker ...")
        return house.run(settings, say if verbose else _quiet(home), _welcome, fast=True)


@contextmanager
def _home(data_dir: Path, *, auto: bool, fresh: bool) -> Iterator[Path]:
    if auto:
        made = Path(tempfile.mkdtemp(prefix="avtale-demo-"))
        try:
            yield made
        finally:
            shutil.rmtree(made, ignore_errors=True)
        return
    if fresh and (data_dir / "avtale.lock").exists():
        shutil.rmtree(data_dir)
    yield data_dir


def free_port(wanted: int) -> int:
    """`wanted` while nobody has it, else any."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    return wanted


def demo_settings(home: Path, port: int, *, log_level: str = "WARNING") -> Settings:
    """The demo has its own servers, data and secrets, whatever the environment says."""
    return for_terminal(
        Settings(
            database_url=None,
            redis_url=None,
            secret_key=None,
            mail_secret=None,
            data_dir=home.resolve(),
            host="127.0.0.1",
            port=port,
            base_url=f"http://127.0.0.1:{port}",
            organisation=world.ORGANISATION,
            postal_address=world.POSTAL_ADDRESS,
            sandbox=True,
            log_level=log_level,
        )
    )


def _quiet(home: Path) -> house.Say:
    """Logs go into a file; only what ends or starts again is shown."""
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = (home / "demo.log").open("a", buffering=1)

    def note(name: str, line: str) -> None:
        file.write(f"{name:<7}| {line}\n")
        if line.startswith("ended with"):
            say(name, f"{line} (see {home / 'demo.log'})")

    return note


async def _welcome(settings: Settings) -> int | None:
    avtale = Commands(environment(settings))
    with err.status("Making sixteen people, five senders, a host and a sequence ..."):
        try:
            await world.add_accounts(avtale, await world.smtp_address(settings))
            async with world.door(avtale, settings) as api:
                await world.add_channels(api)
                await world.import_people(avtale)
                await world.publish(avtale)
                await world.enroll(avtale)
                await world.enroll_others(api)
        except CommandFailed as error:
            err.print(f"[red]{escape(str(error))}[/red]", soft_wrap=True)
            return 1
    _guide(settings, await _console(avtale, settings))
    return None


async def _console(avtale: Commands, settings: Settings) -> str:
    """Where the console begins: a link for the first account, or the sign-in page."""
    try:
        return (await avtale("users", "claim")).stdout.strip()
    except CommandFailed:
        return f"{settings.base_url}/console"


def _guide(settings: Settings, console: str) -> None:
    at = settings.base_url
    lines = (
        "",
        "[bold]Avtale is playing.[/bold] Sixteen made-up people are enrolled in one sequence over"
        " three channels.",
        "",
        f"  [bold]Inbox[/bold]          {at}/sandbox          you are the prospects",
        f"  [bold]Slack[/bold]          {at}/sandbox/slack    and there",
        f"  [bold]Network[/bold]        {at}/sandbox/network  and there",
        f"  [bold]What happens[/bold]   {at}/sandbox/live     what the service does, and why",
        f"  [bold]Console[/bold]        {console}",
        "                 where sales ops see it; the first to open the link is the admin",
        f"  [bold]API[/bold]            {at}/docs",
        "",
        "  1. Mail leaves in its reader's working hours: “Next thing due” moves time to them.",
        "  2. Open a mail; answer “Yes, tell me more” (the first button, in the reader's language)."
        " An offer comes back: pick a time.",
        "  3. Answer another with “Stop”. Press “+3 days”, and see who is left alone.",
        "  4. On Slack press a button; on the network accept the invitation, then answer.",
        "",
        "  In another terminal:",
        f"    AVTALE_DATA_DIR={_short(settings.data_dir)} .venv/bin/avtale why"
        " ingrid@solheimregnskap.example",
        f"    AVTALE_DATA_DIR={_short(settings.data_dir)} .venv/bin/avtale tasks list",
        "",
        f"  Ctrl-C ends it; {_short(settings.data_dir)} keeps everything for the next time.",
        "",
    )
    for line in lines:
        err.print(line, soft_wrap=True)


def _short(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _rehearse(settings: Settings, *, verbose: bool) -> int:
    lines: list[str] = []
    summary: dict[str, Any] = {}
    console = Console(stderr=False, highlight=False)

    def show(line: str) -> None:
        colour = "green" if line.startswith("✓") else "red"
        console.print(f"[{colour}]{line[:1]}[/{colour}]{escape(line[1:])}", soft_wrap=True)

    def note(name: str, line: str) -> None:
        lines.append(f"{name:<7}| {line}")
        if verbose:
            say(name, line)

    async def play(complete: Settings) -> int:
        smtp = await world.smtp_address(complete)
        avtale = Commands(environment(complete))
        prospect = Prospect(base_url=complete.base_url, smtp_host=smtp[0], smtp_port=smtp[1])
        rehearsal = Rehearsal(complete, avtale, prospect, show)
        try:
            await world.add_accounts(avtale, smtp)
            async with world.door(avtale, complete) as api:
                await world.add_channels(api)
            good = await rehearsal.play()
        except CommandFailed as error:
            good = False
            show(f"✗ accounts   {error}")
        summary.update(rehearsal.summary)
        return 0 if good else 1

    try:
        code = house.run(settings, note, play, fast=True)
    except SetupError as error:
        show(f"✗ start      {error.message}")
        code = 1
    if code and not verbose:
        sys.stderr.write("\n".join(["What the service said last:", *lines[-40:], ""]))
    sys.stdout.write(json.dumps(summary, ensure_ascii=False) + "\n")
    sys.stdout.flush()
    return code
