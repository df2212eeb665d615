"""Add one prospect by hand or by API: the same reading and the same writing as an import."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from asyncpg.exceptions import UniqueViolationError
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from channels.base import Channel
from orchestrator.errors import BadInput, Conflict
from orchestrator.flows.add_people import add_people
from orchestrator.keys import Keys
from orchestrator.rules.import_columns import BadHeader, Columns, field_of
from orchestrator.rules.import_rows import PersonRow, Reject, read_row
from orchestrator.store import people_import


async def create_prospect(
    conn: AsyncConnection,
    keys: Keys,
    channels: Mapping[str, Channel],
    *,
    values: Mapping[str, str],
    now: datetime,
) -> UUID:
    """Add the person of `values`, by the column names of an import (`email`, `company.name`,
    `fact.pain`, `fact.pain.source`, `attributes.crm_id` ...).

    Raises BadInput with the reason per field, and Conflict when an address is known already or its
    holder opted out.
    """
    row = _read(values, channels)
    await people_import.lock_imports(conn)
    for channel, address in row.identities:
        if known := await people_import.owners(conn, channel, [address]):
            raise Conflict(
                "there is a prospect with this address: change that one",
                prospect_id=str(known[0].prospect_id),
            )
    try:
        added = await add_people(conn, keys, [row], now=now)
    except (UniqueViolationError, IntegrityError):
        raise Conflict("another request is adding this address: try again") from None
    if added.opted_out:
        raise Conflict("the holder of this address opted out; nothing was changed")
    return added.created[0]


def _read(values: Mapping[str, str], channels: Mapping[str, Channel]) -> PersonRow:
    names = tuple(values)
    try:
        columns = Columns(names, tuple(field_of(name) for name in names))
    except BadHeader as error:
        raise BadInput(str(error)) from None
    canonical = {name: channel.canonical for name, channel in channels.items()}
    row = read_row(columns, [str(value) for value in values.values()], 1, canonical)
    if row is None:
        raise BadInput("email: is empty: a person needs an address")
    if isinstance(row, Reject):
        raise BadInput(row.why(), errors=_faults(row))
    return row


def _faults(row: Reject) -> list[dict[str, object]]:
    return [{"where": ["body", name], "message": why} for name, why in row.reasons.items()]
