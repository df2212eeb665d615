"""Take what providers say, many events at once: stored first, read later (L3)."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.rules.event_json import decode
from orchestrator.store import arrivals, standing
from orchestrator.store.arrivals import Arrival

# What may stop a person's messages, once somebody has read it.
_MAY_STOP = frozenset(
    {"message", "button", "reaction", "acceptance", "bounced", "complained", "unsubscribed"}
)


async def take_events(conn: AsyncConnection, events: Sequence[Arrival], *, now: datetime) -> int:
    """Store them all. Returns how many are new: what was stored before is left as it is, and the
    provider is answered as it was then. Answer only after the commit.

    Nothing passes the point of no return to whoever an answer may be from, until it has been read
    (store.handover): their rows are locked here, so that it does not pass in this very moment.
    """
    if not events:
        return 0
    stopping = [place for place, one in enumerate(events) if one.kind in _MAY_STOP]
    if stopping:
        events = await _named(conn, list(events), stopping)
    return await arrivals.add(conn, events, now=now)


async def _named(
    conn: AsyncConnection, events: list[Arrival], stopping: Sequence[int]
) -> list[Arrival]:
    """The events, where `stopping` ones say whose messages wait for them; these are locked."""
    places = [place for place in stopping if "event" in events[place].detail]
    said = [(events[place].sender_id, decode(events[place].detail["event"])) for place in places]
    people = await arrivals.concerned(conn, said)
    await standing.lock_prospects(conn, set().union(*people))
    for place, waiting in zip(places, people, strict=True):
        names = sorted(str(one) for one in waiting)
        detail = events[place].detail | {"prospects": names}
        events[place] = replace(events[place], detail=detail)
    return events
