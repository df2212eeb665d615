"""Identities as bounces and answers see them: by id, by owner, by what was written to them."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import RowMapping, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.models.messages import messages
from orchestrator.models.people import identities


async def owner(conn: AsyncConnection, identity_id: UUID) -> UUID | None:
    """The prospect whose identity this is."""
    row = await conn.execute(select(identities.c.prospect_id).where(identities.c.id == identity_id))
    return row.scalar_one_or_none()


async def of_prospect(conn: AsyncConnection, prospect_id: UUID) -> Sequence[RowMapping]:
    """Every identity of a prospect."""
    rows = await conn.execute(
        select(identities).where(identities.c.prospect_id == prospect_id).order_by(identities.c.id)
    )
    return rows.mappings().all()


async def by_address(
    conn: AsyncConnection, addresses: Sequence[str], *, channel: str = "email"
) -> Sequence[RowMapping]:
    """Identities whose canonical address is one of these."""
    rows = await conn.execute(
        select(identities).where(
            identities.c.channel == channel, identities.c.address.in_(list(addresses))
        )
    )
    return rows.mappings().all()


async def mark_bounced(conn: AsyncConnection, identity_id: UUID) -> None:
    """No message goes to this identity any more."""
    await conn.execute(
        update(identities).where(identities.c.id == identity_id).values(state="bounced")
    )


async def enrollments_written_to(conn: AsyncConnection, identity_id: UUID) -> set[UUID]:
    """Enrollments with a message, of any state, to this identity."""
    rows = await conn.execute(
        select(messages.c.enrollment_id).where(messages.c.identity_id == identity_id).distinct()
    )
    return set(rows.scalars())
