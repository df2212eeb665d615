"""A world in which somebody answered, and a call is open to them."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.ids import uuid7
from orchestrator.keys import Keys
from orchestrator.models.engagement import engagements, unlocks
from orchestrator.models.messages import messages
from orchestrator.models.people import identities
from tests import make

NOW = make.NOW  # Tuesday 24 November 2026, 10:00 in Oslo
TEN = datetime(2026, 11, 25, 9, tzinfo=UTC)  # Wednesday, 10:00 in Oslo: offered
ELEVEN = TEN + timedelta(hours=1)


@dataclass
class Person:
    """A prospect who answered."""

    prospect: UUID
    identity: UUID
    enrollment: UUID
    engagement: UUID
    unlock: UUID
    hello: UUID  # the message that was sent
    offer: UUID | None  # the offer of the call, pending


async def engaged(
    conn: AsyncConnection,
    prospect: UUID,
    enrollment: UUID | None = None,
    *,
    kind: str = "reply",
    grade: str = "human",
) -> UUID:
    """An engagement of a prospect."""
    made = uuid7()
    await conn.execute(
        insert(engagements).values(
            id=made,
            prospect_id=prospect,
            enrollment_id=enrollment,
            kind=kind,
            grade=grade,
            happened_at=NOW,
        )
    )
    return made


async def unlocked(
    conn: AsyncConnection,
    world: make.World,
    prospect: UUID,
    enrollment: UUID,
    engagement: UUID,
    **values: Any,
) -> UUID:
    """An unlock, by hand."""
    made = uuid7()
    await conn.execute(
        insert(unlocks).values(
            **{
                "id": made,
                "engagement_id": engagement,
                "prospect_id": prospect,
                "enrollment_id": enrollment,
                "host_id": world.host,
                "minutes": 20,
            }
            | values
        )
    )
    return made


async def person(
    conn: AsyncConnection, keys: Keys, world: make.World, *, offer: bool = True, **values: Any
) -> Person:
    """A prospect with a sent message, a human answer, an unlock and a pending offer."""
    prospect = await make.prospect(conn, keys, **values)
    identity = (
        await conn.execute(select(identities.c.id).where(identities.c.prospect_id == prospect))
    ).scalar_one()
    enrolled = await make.enrollment(
        conn, world, prospect, state="sending", step="offer", due_at=None, answered_at=NOW
    )
    hello = await make.message(conn, world, prospect, enrolled, identity)
    for state in ("leased', fence = fence + 1, lease_owner = 'x", "sending", "sent"):
        await conn.execute(
            text(f"update messages set state = '{state}' where id = :id"), {"id": hello}
        )
    engagement = await engaged(conn, prospect, enrolled)
    unlock = await unlocked(conn, world, prospect, enrolled, engagement)
    offered = None
    if offer:
        offered = await make.message(
            conn, world, prospect, enrolled, identity,
            step="offer", kind="call_offer", unlock_id=unlock,
        )  # fmt: skip
    return Person(prospect, identity, enrolled, engagement, unlock, hello, offered)


async def messages_of(conn: AsyncConnection, booking: UUID) -> list[dict[str, Any]]:
    """The messages about a booking, in the order in which they were made."""
    rows = await conn.execute(
        select(messages).where(messages.c.booking_id == booking).order_by(messages.c.id)
    )
    return [dict(row) for row in rows.mappings()]
