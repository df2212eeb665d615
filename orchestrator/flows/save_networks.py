"""Put a list of networks in the place of the one that had its name."""

import re
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.errors import BadInput
from orchestrator.rules.networks import Kind, Ranges, Unreadable, parse
from orchestrator.store import networks

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,40}")
# A list that shrinks to less than this part of what it was is more likely half an answer.
_LEAST = 0.5


async def save_networks(
    conn: AsyncConnection,
    *,
    name: str,
    kind: Kind,
    source: str,
    content: bytes,
    now: datetime,
    smaller: bool = False,
) -> int:
    """Read and keep a published list; returns how many ranges it has. Raises BadInput for what is
    no list, and for one of less than half the ranges of before unless `smaller` allows it."""
    if not _NAME.fullmatch(name):
        raise BadInput("A list is called by small letters, digits and dashes: apple, aws-europe.")
    try:
        found = parse(content)
    except Unreadable as error:
        raise BadInput(f"{source} is no list of networks: {error}.") from None
    before = {row["name"]: row["size"] for row in await networks.shown(conn)}.get(name, 0)
    if len(found) < before * _LEAST and not smaller:
        raise BadInput(
            f"{source} has {len(found)} ranges and `{name}` had {before}: kept as it was. "
            "Add --smaller if that is right."
        )
    await networks.save(
        conn,
        name=name,
        kind=kind,
        source=source,
        ranges=Ranges.of(found).pack(),
        size=len(found),
        now=now,
    )
    return len(found)
