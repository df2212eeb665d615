"""Take what providers say, many events at once: stored first, read later (L3)."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.store import arrivals
from orchestrator.store.arrivals import Arrival


async def take_events(conn: AsyncConnection, events: Sequence[Arrival], *, now: datetime) -> int:
    """Store them all. Returns how many are new: what was stored before is left as it is, and the
    provider is answered as it was then. Answer only after the commit."""
    return len(await arrivals.add(conn, events, now=now)) if events else 0
