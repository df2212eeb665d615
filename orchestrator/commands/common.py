"""What every command shares: opening an App, one red line for an error, JSON on stdout."""

import asyncio
import getpass
import importlib
import json
import os
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar
from uuid import UUID

import typer
from pydantic import BaseModel, ValidationError
from rich.console import Console, ConsoleOptions, RenderableType
from rich.markup import escape
from rich.segment import Segment
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from orchestrator import acting, config, migrate
from orchestrator.config import Settings
from orchestrator.db import check_server
from orchestrator.endpoints import find_servers
from orchestrator.errors import AvtaleError, SetupError, Unavailable
from orchestrator.rules.terminal import harmless, harmless_json

if TYPE_CHECKING:
    from orchestrator.wiring import App

T = TypeVar("T")


class _Screen(Console):
    """A console on which the words of strangers do nothing: it formats, they do not."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        for one in super().render(renderable, options):
            yield one if one.control else Segment(harmless(one.text), one.style)


err = _Screen(stderr=True, highlight=False)
out = _Screen(highlight=False)
if not out.is_terminal and "COLUMNS" not in os.environ:
    out.width = 160  # what goes to a file or a pipe is not cut to a screen that nobody looks at


def settings() -> Settings:
    """The environment's settings; where no server is named, those of a running `avtale up`."""
    try:
        return find_servers(config.get_settings())
    except ValidationError as error:
        lines = (f"AVTALE_{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors())
        raise SetupError("; ".join(lines)) from None


def fail(error: AvtaleError) -> NoReturn:
    """One red line on stderr, and exit 2."""
    err.print(f"[red]{escape(error.message)}[/red]", soft_wrap=True)
    raise typer.Exit(2)


def run(work: Callable[["App"], Awaitable[T]], *, pool_size: int = 5) -> T:
    """Open an App on a database that is new enough and migrated, and await `work` with it.

    An AvtaleError, or servers that do not answer, end the command with one red line and exit 2.
    """

    from orchestrator.wiring import open_app  # channels and Redis: not for `avtale --help`

    async def opened() -> T:
        async with open_app(settings(), pool_size=pool_size) as app:
            await check_server(app.engine, head=migrate.head())
            with acting.acts(_at_the_terminal()):
                return await work(app)

    return guarded(opened)


def _at_the_terminal() -> acting.Actor:
    """Whoever is logged in to this machine, and the command that they typed."""
    try:
        who = getpass.getuser()
    except (KeyError, OSError):  # no such user, as in a container
        who = f"uid {os.getuid()}"
    return acting.Actor("cli", None, who, _typed())


def _typed() -> str:
    """The command without its arguments: `avtale senders add`."""
    try:  # typer brings a click of its own since 0.20
        module = importlib.import_module("typer._click.globals")
    except ImportError:
        module = importlib.import_module("click")
    context = module.get_current_context(silent=True)
    return " ".join(["avtale", *context.command_path.split()[1:]]) if context else "avtale"


def guarded(work: Callable[[], Awaitable[T]], *, fast: bool = False) -> T:
    """`asyncio.run(work())` for commands without an App, with the same treatment of errors.

    `fast`: on uvloop, for what moves much over many connections.
    """

    async def awaited() -> T:
        return await work()

    try:
        return _fast(awaited()) if fast else asyncio.run(awaited())
    except AvtaleError as error:
        fail(error)
    except (OSError, OperationalError, InterfaceError, TimeoutError) as error:
        fail(_no_answer(error))
    except ModuleNotFoundError as error:  # the code is newer than its environment
        fail(SetupError(f"{error.name} is not installed: `make setup` brings .venv up to date."))
    except DBAPIError as error:
        if error.connection_invalidated:
            fail(_no_answer(error))
        raise


def _fast(work: Coroutine[Any, Any, T]) -> T:
    import uvloop

    return uvloop.run(work)


def _no_answer(error: Exception) -> AvtaleError:
    if isinstance(error, OSError) and error.filename:
        return Unavailable(f"{error.filename}: {error.strerror}.")
    return Unavailable(
        f"The database does not answer ({type(error).__name__}): is it running, and is "
        "AVTALE_DATABASE_URL right? `avtale up` brings its own."
    )


def emit(value: Any) -> None:
    """`value` as JSON on stdout. Takes pydantic models, dataclasses, mappings, rows of them."""
    told = json.dumps(value, default=_plain, ensure_ascii=False, indent=2)
    sys.stdout.write(harmless_json(told) + "\n")
    sys.stdout.flush()


def _plain(value: Any) -> Any:
    match value:
        case BaseModel():
            return value.model_dump(mode="json")
        case datetime() | date():
            return value.isoformat()
        case UUID() | Path():
            return str(value)
        case Mapping():
            return dict(value)
        case bytes():
            return value.hex()
        case set() | frozenset():
            return sorted(value)
        case Sequence():
            return list(value)
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return str(value)
