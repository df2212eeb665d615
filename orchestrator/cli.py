"""`avtale`: the root of the command line. Each area is a module of `orchestrator.commands`."""

import importlib
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import typer

from orchestrator import logs
from orchestrator.commands.common import err, fail
from orchestrator.errors import AvtaleError

# Module of orchestrator.commands -> the names of its group, the first one shown in the help; no
# names: its commands stand at the root.
AREAS: dict[str, tuple[str, ...]] = {
    "up": (),
    "demo": (),
    "sequence": ("sequence", "sequences"),
    "prospects": ("prospects", "prospect"),
    "enroll": (),
    "why": (),
    "person": ("person",),
    "tasks": ("tasks", "task"),
    "verify": (),
    "backup": (),
    "late": ("late",),
    "hosts": ("hosts", "host"),
    "senders": ("senders", "sender"),
    "mail": ("mail",),
    "meaning": ("meaning",),
    "engagement": ("engagement", "engagements"),
    "networks": ("networks", "network"),
    "webhooks": ("webhooks", "webhook"),
    "keys": ("key", "keys"),
    "users": ("users", "user"),
    "audit": (),
    "profile": ("profile",),
    "server": (),
}

app = typer.Typer(
    name="avtale",
    help="Reach people where they read; offer a call only after they engaged.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    rich_markup_mode=None,
)


def _wanted(word: str) -> dict[str, tuple[str, ...]]:
    """The area that `word` belongs to; all of them where that is not plain, as for the help."""
    if word in ("api", "worker"):
        return {"server": ()}
    for module, names in AREAS.items():
        if word in (names or (module,)):
            return {module: names}
    return AREAS


def _register(word: str) -> None:
    # All areas together import half of what there is: 0.3 s of every command's start.
    for module, names in _wanted(word).items():
        commands = importlib.import_module(f"orchestrator.commands.{module}").app
        if not names:
            app.add_typer(commands)
        for name in names:
            app.add_typer(commands, name=name, hidden=name != names[0])


def release() -> str:
    """The installed version of Avtale."""
    try:
        return version("avtale")
    except PackageNotFoundError:
        return "0 (not installed)"


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"avtale {release()}")
        raise typer.Exit


@app.callback()
def root(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Reach people where they read; offer a call only after they engaged."""


_register(sys.argv[1] if len(sys.argv) > 1 else "")


def main() -> None:
    """Run the command line. An expected error is one red line on stderr, and exit 2."""
    logs.configure(level="WARNING", as_json=False)
    try:
        app()
    except AvtaleError as error:
        try:
            fail(error)
        except typer.Exit as ended:
            sys.exit(ended.exit_code)
    except KeyboardInterrupt:
        err.print("Stopped.")
        sys.exit(130)


if __name__ == "__main__":
    main()
