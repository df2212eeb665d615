"""A hit as it is noted and judged, in one transaction of a test."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.flows.judge_seen import judge_hit
from orchestrator.keys import Keys
from orchestrator.models.engagement import provider_events
from orchestrator.rules.networks import NONE
from orchestrator.rules.opens import Hit, Kind, Verdict
from orchestrator.sightings import Seen, sighting
from orchestrator.store import pages, sightings


async def note_seen(
    conn: AsyncConnection, keys: Keys, *, kind: Kind, subject: UUID, hit: Hit, now: datetime
) -> Verdict | None:
    """The verdict on a hit; None for one that is not kept."""
    about = subject
    if kind == "click":
        link = await pages.link(conn, subject)
        assert link is not None
        about = link["message_id"]
    made = sighting(keys, Seen(kind, subject, about, hit, ""), NONE, now)
    if not await sightings.add(conn, [made], now=now):
        return None
    rows = await conn.execute(
        select(provider_events).where(provider_events.c.state == "seen").with_for_update()
    )
    (event,) = rows.mappings()
    return await judge_hit(conn, keys, event)
