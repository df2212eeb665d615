"""Give a host other hours on one date, or the ordinary ones back."""

from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.errors import BadInput
from orchestrator.rules.slots import spans
from orchestrator.store import history, hosts


async def set_host_exception(
    conn: AsyncConnection,
    *,
    name: str,
    day: date,
    hours: Sequence[str] | None,
    note: str = "",
    now: datetime,
) -> bool:
    """The hours of host `name` on `day`: `["10:00-12:00"]`, `[]` for a day off, None for the
    ordinary ones again. False when None changed nothing. Calls that are booked stay.

    Raises BadInput, NotFound.
    """
    row = await hosts.by_name(conn, name, lock=True)
    if hours is None:
        changed = await hosts.drop_exception(conn, row["id"], day)
    else:
        try:
            spans(hours)
        except ValueError as error:
            raise BadInput(f"{error}.") from None
        await hosts.put_exception(conn, row["id"], day, list(hours), note)
        changed = True
    if changed:
        await history.append(
            conn,
            "host.exception",
            at=now,
            host=str(row["id"]),
            day=day.isoformat(),
            hours=None if hours is None else list(hours),
        )
    return changed
