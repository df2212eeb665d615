"""Remove a host whom nobody has been promised."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.errors import Conflict
from orchestrator.store import history, hosts


async def remove_host(conn: AsyncConnection, *, name: str, now: datetime) -> None:
    """Delete the host called `name` with its exceptions.

    Raises NotFound, and Conflict when a call with them was opened to somebody: then take away the
    hours instead.
    """
    row = await hosts.by_name(conn, name, lock=True)
    if await hosts.is_used(conn, row["id"]):
        raise Conflict(
            f"Calls with `{name}` have been opened to prospects, so the host stays. "
            f"`avtale hosts set {name} --no-hours` offers no more times."
        )
    await hosts.drop(conn, row["id"])
    await history.append(conn, "host.removed", at=now, host=str(row["id"]))
