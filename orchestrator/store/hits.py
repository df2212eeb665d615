"""What was seen of one message: opens, followed links, visits of the hidden link."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import RowMapping, and_, exists, select
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.models.engagement import engagements, provider_events

_MOST = 250
_EVENT = provider_events.c["id", "kind", "raw", "detail", "received_at", "message_id"]


async def of_message(conn: AsyncConnection, message_id: UUID) -> Sequence[RowMapping]:
    """Every stored hit on a message, oldest first, with the verdict on it that stands: `engagement`
    and `grade`, None where a later one has no event of its own."""
    later = engagements.alias("later")
    stands = and_(
        engagements.c.provider_event_id == provider_events.c.id,
        ~exists().where(later.c.revises == engagements.c.id),
    )
    rows = await conn.execute(
        select(*_EVENT, engagements.c.id.label("engagement"), engagements.c.grade)
        .select_from(provider_events)
        .outerjoin(engagements, stands)
        .where(
            provider_events.c.message_id == message_id,
            provider_events.c.source == "track",
            provider_events.c.kind.in_(("open", "click", "trap")),
        )
        .order_by(provider_events.c.id)
        .limit(_MOST)
    )
    return rows.mappings().all()
