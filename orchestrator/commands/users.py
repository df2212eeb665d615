"""`avtale users`: who may sign in to the console, and as what."""

from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer
from rich.table import Table
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.access_address import address_of
from orchestrator.clock import database_now, real_now
from orchestrator.commands.common import emit, err, out, run
from orchestrator.db import transaction
from orchestrator.errors import Conflict, NotFound
from orchestrator.flows.add_user import add_user
from orchestrator.flows.assign_people import assign_people
from orchestrator.flows.change_user import change_user
from orchestrator.flows.find_person import find_person
from orchestrator.flows.make_link import make_link
from orchestrator.flows.offer_claim import offer_claim
from orchestrator.rules.accounts import folded
from orchestrator.store import users

if TYPE_CHECKING:
    from orchestrator.wiring import App

app = typer.Typer(help="Users: who may sign in to the console, and as what.", no_args_is_help=True)

_Email = Annotated[str, typer.Argument(help="Their email address.")]
_Role = Annotated[str, typer.Argument(help="admin, ops, rep or viewer.")]
_Json = Annotated[bool, typer.Option("--json", help="Write JSON.")]


async def user_id_of(conn: AsyncConnection, email: str) -> UUID:
    """The id of the user with this address. Raises NotFound."""
    try:
        row = await users.by_email(conn, folded(email))
    except ValueError:
        row = None
    if row is None:
        raise NotFound(f"There is no user {email}: `avtale users list` shows them.")
    found: UUID = row["id"]
    return found


@app.command()
def add(
    email: _Email,
    name: Annotated[str, typer.Option(help="What they are called.")],
    role: Annotated[str, typer.Option(help="admin, ops, rep or viewer.")] = "ops",
) -> None:
    """Add a user. Prints a link by which they set a password; it is good once, for a week."""

    async def work(opened: "App") -> str:
        async with transaction(opened.engine) as conn:
            made = await add_user(
                conn, email=email, name=name, role=role, now=await database_now(conn)
            )
            token = await make_link(conn, kind="invite", user_id=made, now=await real_now(conn))
        return address_of(opened.settings, "password", token)

    link = run(work)
    err.print("Give them this link, by a way that you trust. It is shown this once:")
    typer.echo(link)


@app.command(name="list")
def list_(as_json: _Json = False) -> None:
    """Show the users."""

    async def work(opened: "App") -> list[dict[str, Any]]:
        async with transaction(opened.engine) as conn:
            return [dict(row) for row in await users.everyone(conn)]

    rows = run(work)
    if as_json:
        emit(rows)
        return
    if not rows:
        err.print("There is no user yet: `avtale users claim` prints a link for the first one.")
        return
    table = Table("name", "email", "role", "signed in", "second factor", "state")
    for row in rows:
        seen = f"{row['signed_in_at']:%Y-%m-%d %H:%M}" if row["signed_in_at"] else "never"
        state = "disabled" if row["disabled_at"] else "live" if row["has_password"] else "invited"
        second = "yes" if row["has_totp"] else "no"
        table.add_row(row["name"], row["email"], row["role"], seen, second, state)
    out.print(table)


@app.command()
def role(email: _Email, new: _Role) -> None:
    """Give a user another role. It ends their sessions."""
    changed = _change(email, role=new)
    err.print(f"{email} is {new} now." if changed else f"{email} was {new} already.")


@app.command()
def disable(email: _Email) -> None:
    """Let a user in no more: their sessions, links and keys end at once."""
    changed = _change(email, disabled=True)
    err.print(f"{email} is disabled." if changed else f"{email} was disabled already.")


@app.command()
def enable(email: _Email) -> None:
    """Let a disabled user in again."""
    changed = _change(email, disabled=False)
    err.print(f"{email} may sign in." if changed else f"{email} was not disabled.")


@app.command()
def reset(email: _Email) -> None:
    """Print a link for a new password, good once, for half an hour."""

    async def work(opened: "App") -> str:
        async with transaction(opened.engine) as conn:
            user_id = await user_id_of(conn, email)
            token = await make_link(conn, kind="reset", user_id=user_id, now=await real_now(conn))
        return address_of(opened.settings, "password", token)

    typer.echo(run(work))


@app.command()
def claim() -> None:
    """Print a link by which the first user claims this instance. Earlier ones are worth nothing."""

    async def work(opened: "App") -> str:
        async with transaction(opened.engine) as conn:
            token = await offer_claim(conn, await real_now(conn))
        if token is None:
            raise Conflict("This instance is claimed: `avtale users list` shows by whom.")
        return address_of(opened.settings, "claim", token)

    typer.echo(run(work))


@app.command()
def assign(
    email: Annotated[str, typer.Argument(help="Whose they are; - for nobody's.")],
    people: Annotated[list[str], typer.Argument(help="Ids or addresses of prospects.")],
) -> None:
    """Say whose people somebody's are: a rep sees their own."""

    async def work(opened: "App") -> int:
        async with transaction(opened.engine) as conn:
            owner = None if email == "-" else await user_id_of(conn, email)
            ids = [await find_person(conn, person) for person in people]
            now = await database_now(conn)
            return await assign_people(conn, prospect_ids=ids, owner_id=owner, now=now)

    err.print(f"{run(work)} of {len(people)} have another owner now.")


def _change(email: str, **values: Any) -> bool:
    async def work(opened: "App") -> bool:
        async with transaction(opened.engine) as conn:
            user_id = await user_id_of(conn, email)
            return await change_user(conn, user_id=user_id, now=await database_now(conn), **values)

    return run(work)
