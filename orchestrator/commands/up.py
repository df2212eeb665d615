"""`avtale up`: the whole service from one command, with servers of its own."""

from pathlib import Path
from typing import Annotated

import httpx
import typer
from rich.markup import escape
from sqlalchemy.exc import SQLAlchemyError

from orchestrator import config
from orchestrator.access_address import address_of
from orchestrator.clock import real_now
from orchestrator.commands.common import err
from orchestrator.config import Settings
from orchestrator.db import make_engine, transaction
from orchestrator.flows.offer_claim import offer_claim

app = typer.Typer(help="Run everything on this machine.")


async def _greet(settings: Settings) -> int | None:
    whose = "embedded" if str(settings.data_dir) in str(settings.database_url) else "yours"
    rows = [
        ("Console", f"{settings.base_url}/console"),
        ("API", f"{settings.base_url}/docs"),
        ("Health", f"{settings.base_url}/readyz"),
        ("Data", f"{settings.data_dir} (PostgreSQL: {whose})"),
    ]
    if settings.sandbox:
        rows.insert(0, ("Sandbox", f"{settings.base_url}/sandbox"))
    err.print("\n[bold]Avtale is up.[/bold] Ctrl-C ends it; the data stays.")
    for name, value in rows:
        err.print(f"  {name:<8} {value}", soft_wrap=True)
    if (link := await _claim(settings)) is not None:
        err.print("\n  [bold]Nobody has an account yet.[/bold] Claim this instance, within a day:")
        err.print(f"  {link}", soft_wrap=True)
    err.print("  Other commands find it by themselves: avtale key create me --scope '*'\n")
    for line in [*await _degraded(settings), *lacking(settings)]:
        err.print(f"[yellow]{escape(line)}[/yellow]\n", soft_wrap=True)
    return None


async def _claim(settings: Settings) -> str | None:
    """The link by which the first user makes themselves the admin; None once there is one."""
    assert settings.database_url is not None
    engine = make_engine(settings.database_url, pool_size=1)
    try:
        async with transaction(engine) as conn:
            token = await offer_claim(conn, await real_now(conn))
    except (SQLAlchemyError, OSError):  # it is said again at the next start, and by `users claim`
        return None
    finally:
        await engine.dispose()
    return address_of(settings, "claim", token) if token else None


async def _degraded(settings: Settings) -> list[str]:
    """What works only in part, as /readyz says it: Redis that is away, for one."""
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host  # noqa: S104 - read
    try:
        async with httpx.AsyncClient(timeout=3, trust_env=False) as client:
            answer = await client.get(f"http://{host}:{settings.port}/readyz")
        checks: dict[str, dict[str, str]] = answer.json()["checks"]
    except (httpx.HTTPError, ValueError, KeyError):
        return []
    return [f"{name}: {one['detail']}" for name, one in checks.items() if one["state"] != "ok"]


def lacking(settings: Settings) -> list[str]:
    """What the first message will need and nobody set, in words."""
    names = [
        f"AVTALE_{name.upper()}"
        for name in ("organisation", "postal_address")
        if not getattr(settings, name).strip()
    ]
    if not names:
        return []
    return [
        f"Before you write to anybody, say who writes: put {' and '.join(names)} into .env "
        "(`cp .env.example .env`) and start again. Every message says it at its end."
    ]


@app.command()
def up(
    port: Annotated[int | None, typer.Option(help="Default AVTALE_PORT.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Default AVTALE_DATA_DIR.")] = None,
) -> None:
    """Start PostgreSQL and Redis of its own (or use yours), the API and a worker; Ctrl-C ends all.

    AVTALE_DATABASE_URL and AVTALE_REDIS_URL take over from the embedded servers.
    """
    from orchestrator import house  # imports that no other command needs

    given = {name: value for name, value in (("port", port), ("data_dir", data_dir)) if value}
    settings = config.get_settings().model_copy(update=given)
    raise typer.Exit(house.run(house.for_terminal(settings), house.say, _greet))
