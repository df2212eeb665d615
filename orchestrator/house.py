"""Everything that runs when nothing else does: servers, migration, secrets, API, worker, sandbox.

`avtale up` and `avtale demo` are doors to `run`. With AVTALE_DATABASE_URL or AVTALE_REDIS_URL set,
that server is left to its owner and the database must be migrated already.
"""

import asyncio
import base64
import json
import os
import secrets
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from orchestrator import endpoints, migrate, start_lock
from orchestrator.config import Settings
from orchestrator.db import check_server, make_engine
from orchestrator.embedded import Embedded
from orchestrator.errors import SetupError
from orchestrator.supervisor import Child, Supervisor

Say = Callable[[str, str], None]  # (who, line)
# Called when all answers; returns an exit code to end with, or None to stay until a signal.
Guest = Callable[[Settings], Awaitable[int | None]]

_READY_SECONDS = 60.0
_LOOK_SECONDS = 1.0
_STEP_SECONDS = 0.01
API = Child("api", ("-m", "orchestrator.cli", "api"))
WORKER = Child("worker", ("-m", "orchestrator.cli", "worker"))
SANDBOX = Child("mail", ("-m", "orchestrator.sandbox.post_office"))


def say(name: str, line: str) -> None:
    """One line of a child, with its name before it."""
    sys.stderr.write(f"{name:<7}| {line}\n")
    sys.stderr.flush()


def for_terminal(settings: Settings) -> Settings:
    """Logs for people unless somebody asked for JSON; an address that fits the port."""
    changes: dict[str, object] = {}
    if "log_json" not in settings.model_fields_set:
        changes["log_json"] = False
    if "base_url" not in settings.model_fields_set:
        changes["base_url"] = f"http://{settings.host}:{settings.port}"
    return settings.model_copy(update=changes)


def run(settings: Settings, say: Say, guest: Guest, *, fast: bool = False) -> int:
    """Bring everything up, call `guest`, and take everything down again. Returns the exit code.

    `fast` gives up durability for speed, for data that is thrown away. Raises SetupError.
    """
    servers = _servers(settings, fast=fast)
    try:
        steps = servers.starting()
        next(steps, None)  # it has the data directory, and what takes longest is under way
        _require_port(settings)  # after the data directory: its own words are the better ones
        database_url, redis_url = _urls(settings, servers)
        complete = _with_secrets(settings).model_copy(
            update={
                "database_url": database_url,
                "redis_url": redis_url,
                "start_lock": settings.data_dir.resolve() / "starting.lock",
            }
        )
        ours = settings.database_url is None
        return asyncio.run(_stay(complete, say, guest, servers, _prepare(steps, complete, ours)))
    finally:
        servers.stop()


def _servers(settings: Settings, *, fast: bool) -> Embedded:
    """Embedded servers in the place of those that nobody gave."""
    return Embedded(
        settings.data_dir,
        postgres=settings.database_url is None,
        redis=settings.redis_url is None,
        postgres_options=("synchronous_commit=off", "fsync=off") if fast else (),
    )


def _urls(settings: Settings, servers: Embedded) -> tuple[str, str]:
    return (
        settings.database_url or servers.endpoints.database_url,
        settings.redis_url or servers.endpoints.redis_url,
    )


def _require_port(settings: Settings) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            raise SetupError(
                f"{settings.host}:{settings.port} cannot be used ({error.strerror}): "
                "set AVTALE_PORT or --port to another one."
            ) from None


def _with_secrets(settings: Settings) -> Settings:
    """Secrets that nobody gave are made once and kept beside the data that needs them."""
    kept = settings.data_dir.resolve()
    found = {
        "data_dir": kept,
        "secret_key": settings.secret_key
        or _kept(kept / "secret.key", lambda: secrets.token_hex(32)),
        "mail_secret": settings.mail_secret
        or _kept(
            kept / "mail.secret",
            lambda: "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode(),
        ),
    }
    return settings.model_copy(update=found)


def _kept(path: Path, make: Callable[[], str]) -> SecretStr:
    if not path.exists():
        _write_private(path, make() + "\n")
    return SecretStr(path.read_text().strip())


def _write_private(path: Path, text: str) -> None:
    """A whole file of mode 0600 or none."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.rename(path)


async def _prepare(steps: Iterator[None], settings: Settings, ours: bool) -> None:
    """Wait for the servers; bring our own database to the newest migration."""
    for _ in steps:
        await asyncio.sleep(_STEP_SECONDS)
    assert settings.database_url is not None
    engine = make_engine(settings.database_url, pool_size=1)
    try:
        if ours:
            await check_server(engine, head=None)
            await migrate.upgrade(settings.database_url)
        await check_server(engine, head=migrate.head())
    finally:
        await engine.dispose()


def environment(settings: Settings) -> dict[str, str]:
    """The environment of a child: ours, with every setting that was decided here, and no `.env`."""
    values = {
        f"AVTALE_{name.upper()}": value.get_secret_value()
        if isinstance(value, SecretStr)
        else str(value)
        for name in type(settings).model_fields
        if (value := getattr(settings, name)) is not None
    }
    return {**os.environ, **values, "AVTALE_ENV_FILE": "", "PYTHONUNBUFFERED": "1"}


@contextmanager
def _note(settings: Settings) -> Iterator[None]:
    """`endpoints.json` while we run, for the other commands on this data directory."""
    path = endpoints.path(settings)
    names = (
        *("database_url", "redis_url", "base_url", "host", "port", "sandbox", "data_dir"),
        *("organisation", "postal_address", "templates_dir"),
    )
    found = {name: getattr(settings, name) for name in names}
    for name in ("secret_key", "mail_secret"):
        found[name] = getattr(settings, name).get_secret_value()
    _write_private(path, json.dumps(found, default=str, indent=2) + "\n")
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


async def _keep_redis(servers: Embedded, say: Say) -> None:
    """Our Valkey comes back when it dies: nothing waits for it, but bells are faster."""
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        try:
            if servers.revive_redis():
                say("redis", "ended; started again")
        except (OSError, SetupError) as error:
            say("redis", f"does not start: {error}")
            await asyncio.sleep(_LOOK_SECONDS * 10)


async def _stay(
    settings: Settings,
    say: Say,
    guest: Guest,
    servers: Embedded,
    preparing: Coroutine[None, None, None],
) -> int:
    supervisor = Supervisor(environment(settings), say)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, supervisor.stop.set)
    stopping = asyncio.create_task(supervisor.stop.wait())
    keeping: list[asyncio.Task[None]] = []
    try:
        assert settings.start_lock is not None
        with start_lock.held(settings.start_lock):
            # They load their code while the servers start, and wait for the lock.
            keeping += [asyncio.create_task(supervisor.keep(child)) for child in (API, WORKER)]
            if not await _unless(stopping, preparing):
                return 0
        if settings.sandbox:
            keeping.append(asyncio.create_task(supervisor.keep(SANDBOX)))
        with _note(settings):
            return await _serve(settings, say, guest, servers, stopping)
    finally:
        supervisor.stop.set()
        await asyncio.gather(*keeping)


async def _unless(stopping: asyncio.Task[Any], work: Coroutine[None, None, None]) -> bool:
    """Whether `work` was done before the stop came. Raises what it raises."""
    doing = asyncio.create_task(work)
    await asyncio.wait({doing, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if doing.done():
        doing.result()
        return True
    doing.cancel()
    with suppress(asyncio.CancelledError):
        await doing
    return False


async def _serve(
    settings: Settings, say: Say, guest: Guest, servers: Embedded, stopping: asyncio.Task[Any]
) -> int:
    """Until the guest says so or the stop comes."""
    reviving = asyncio.create_task(_keep_redis(servers, say))
    visit = asyncio.create_task(_visit(settings, guest))
    try:
        done, _ = await asyncio.wait({visit, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if visit in done and (code := visit.result()) is not None:
            return code
        await stopping
        sys.stderr.write("Stopping ...\n")  # it may take seconds: what is being sent is finished
        return 0
    finally:
        visit.cancel()
        reviving.cancel()
        with suppress(asyncio.CancelledError):
            await visit


async def _visit(settings: Settings, guest: Guest) -> int | None:
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host  # noqa: S104 - read
    await wait_ready(f"http://{host}:{settings.port}")
    return await guest(settings)


async def wait_ready(address: str, *, path: str = "/readyz") -> None:
    """Wait until the service says that it is ready. Raises SetupError when it does not in time."""
    last = "no answer"
    import httpx  # while the children load their own code

    async with httpx.AsyncClient(timeout=2, trust_env=False) as client:
        deadline = asyncio.get_running_loop().time() + _READY_SECONDS
        while asyncio.get_running_loop().time() < deadline:
            try:
                answer = await client.get(address + path)
                if answer.status_code == 200:
                    return
                last = answer.text[:300]
            except httpx.HTTPError as error:
                last = type(error).__name__
            await asyncio.sleep(0.05)
    raise SetupError(f"{address}{path} is not ready after {_READY_SECONDS:.0f} s: {last}")
