"""Change what is known of a prospect. Stopping, pausing and snoozing have verbs of their own."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.errors import BadInput, NotFound
from orchestrator.rules import addresses, places
from orchestrator.store import history, people_changes, standing

_READ: dict[str, Callable[[str], str]] = {
    "language": places.language,
    "country": places.country,
    "zone": places.zone,
}


async def change_prospect(
    conn: AsyncConnection, *, prospect_id: UUID, values: Mapping[str, Any], now: datetime
) -> bool:
    """Set columns of a prospect (first_name, last_name, title, language, country, zone, phone,
    preferred_channel, attributes); None forgets a value. False when all of it was so already.

    Raises NotFound, and BadInput for a value that is no country, zone, language or phone number.
    """
    known = await standing.lock_prospects(conn, [prospect_id])
    if prospect_id not in known:
        raise NotFound("There is no such prospect.")
    before = dict(await people_changes.values_of(conn, prospect_id))
    read = _checked(values, before)
    changed = {name: value for name, value in read.items() if before[name] != value}
    if not changed:
        return False
    await people_changes.set_values(conn, prospect_id, changed, now=now)
    await history.append(
        conn, "prospect.changed", at=now, prospect_id=prospect_id, fields=sorted(changed)
    )
    return True


def _checked(values: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    read: dict[str, Any] = {}
    for name, value in values.items():
        try:
            if value is None or name not in (*_READ, "phone"):
                read[name] = value
            elif name == "phone":
                country = values.get("country") or before["country"]
                read[name] = addresses.phone(value, country)
            else:
                read[name] = _READ[name](value)
        except ValueError as error:
            raise BadInput(f"{name}: {error}") from None
    for name in ("first_name", "last_name"):
        if name in read and read[name] is None:
            read[name] = ""
    return read
