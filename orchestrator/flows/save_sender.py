"""Add a sender or change one."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from channels.base import Channel, Testable
from orchestrator.db import is_constraint
from orchestrator.errors import BadInput, Conflict
from orchestrator.ids import uuid7
from orchestrator.keys import Keys
from orchestrator.rules.sender import SenderValues
from orchestrator.store import history, senders

_COLUMNS = tuple(SenderValues.model_fields)


async def save_sender(
    conn: AsyncConnection,
    keys: Keys,
    channels: Mapping[str, Channel],
    *,
    name: str,
    values: Mapping[str, Any],
    secrets: Mapping[str, str | None] | None = None,
    now: datetime,
    new: bool,
) -> UUID:
    """Add the sender called `name` with `values` (SenderValues), or change these of it.

    `settings` of an existing sender are merged, a None in them takes the name out; so are
    `secrets`, which are sealed and never read back. Raises BadInput, Conflict, NotFound.
    """
    if not name or not name.isprintable() or name != name.strip() or len(name) > 80:
        raise BadInput("A sender's name is one line of 1 to 80 characters.")
    row = None if new else await senders.by_name(conn, name, lock=True)
    before = {column: row[column] for column in _COLUMNS} if row is not None else {}
    merged = before | dict(values)
    merged["settings"] = _merged(before.get("settings", {}), values.get("settings", {}))
    held = keys.unseal(row["secrets"]) if row is not None and row["secrets"] else {}
    sealed = _merged(held, secrets or {})
    columns = _checked(channels, merged, sealed)
    columns["secrets"] = keys.seal(sealed) if sealed else None
    sender_id = uuid7() if row is None else row["id"]
    try:
        if row is None:
            await senders.add(conn, columns | {"id": sender_id, "name": name}, now=now)
        else:
            await senders.change(conn, sender_id, columns, now=now)
    except IntegrityError as error:
        if is_constraint(error, "uq_senders_name"):
            raise Conflict(f"There is a sender called `{name}`: `avtale senders set`.") from None
        if is_constraint(error, "uq_senders_channel_address"):
            raise Conflict("Another sender has this address.") from None
        raise
    kind = "sender.added" if row is None else "sender.changed"
    changed = sorted(column for column in _COLUMNS if before.get(column) != columns[column])
    await history.append(
        conn, kind, at=now, sender=str(sender_id), changed=changed, secrets=sorted(secrets or {})
    )
    return sender_id


def _merged(before: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: one for name, one in {**before, **values}.items() if one is not None}


def _checked(
    channels: Mapping[str, Channel], merged: dict[str, Any], secrets: dict[str, Any]
) -> dict[str, Any]:
    """The columns. Raises BadInput in words that name the field."""
    try:
        parsed = SenderValues.model_validate(merged)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadInput(f"{where}: {first['msg'].removeprefix('Value error, ')}") from None
    channel = channels.get(parsed.channel)
    if channel is None:
        raise BadInput(f"There is no channel `{parsed.channel}`: {', '.join(sorted(channels))}.")
    try:
        address = channel.canonical(parsed.address)
        if isinstance(channel, Testable):
            channel.check_settings(parsed.settings, secrets)
    except ValueError as error:
        raise BadInput(str(error)) from None
    return parsed.model_dump(mode="json") | {"address": address}
