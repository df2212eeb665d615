"""Add a host or change one."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.db import is_constraint
from orchestrator.errors import BadInput, Conflict
from orchestrator.ids import uuid7
from orchestrator.rules.host import HostValues
from orchestrator.store import history, hosts

_COLUMNS = tuple(HostValues.model_fields)


async def save_host(
    conn: AsyncConnection, *, name: str, values: Mapping[str, Any], now: datetime, new: bool
) -> UUID:
    """Add the host called `name` with `values` (HostValues), or change these of it.

    New hours are for new bookings: calls that are booked stay where they are. Raises BadInput,
    Conflict, NotFound.
    """
    if not name or not name.isprintable() or name != name.strip() or len(name) > 80:
        raise BadInput("A host's name is one line of 1 to 80 characters.")
    row = None if new else await hosts.by_name(conn, name, lock=True)
    before = {column: row[column] for column in _COLUMNS} if row is not None else {}
    columns = _checked(before | dict(values))
    host_id = uuid7() if row is None else row["id"]
    if row is None:
        await _add(conn, name, columns | {"id": host_id, "name": name}, now)
    else:
        await hosts.change(conn, host_id, columns)
    changed = sorted(column for column in _COLUMNS if before.get(column) != columns[column])
    kind = "host.added" if row is None else "host.changed"
    await history.append(conn, kind, at=now, host=str(host_id), changed=changed)
    return host_id


async def _add(conn: AsyncConnection, name: str, columns: Mapping[str, Any], now: datetime) -> None:
    try:
        async with conn.begin_nested():
            await hosts.add(conn, columns, now=now)
    except IntegrityError as error:
        if is_constraint(error, "uq_hosts_name"):
            raise Conflict(f"There is a host called `{name}`: `avtale hosts set`.") from None
        raise


def _checked(merged: Mapping[str, Any]) -> dict[str, Any]:
    """The columns. Raises BadInput in words that name the field."""
    try:
        return HostValues.model_validate(dict(merged)).model_dump(mode="json")
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadInput(f"{where}: {first['msg'].removeprefix('Value error, ')}") from None
