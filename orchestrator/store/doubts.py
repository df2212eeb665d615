"""Messages in doubt that a provider can be asked about."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

# A message in doubt is not due for sending: its `due_at` is when to ask about it again.
_TO_ASK = text("""
select m.id, m.kind, m.channel, m.sender_id, m.identity_id, m.prospect_id, m.enrollment_id,
  f.recipient, f.payload
from messages m join frozen f on f.message_id = m.id
where m.state = 'in_doubt' and m.channel = any(cast(:channels as text[]))
  and m.handed_at < clock_timestamp() - make_interval(secs => :older)
  and m.due_at < clock_timestamp()
order by m.handed_at limit :batch
""")


async def to_ask(
    conn: AsyncConnection, *, channels: Sequence[str], older: float, batch: int
) -> Sequence[RowMapping]:
    """Messages in doubt whose hand-over began more than `older` seconds ago."""
    rows = await conn.execute(_TO_ASK, {"channels": list(channels), "older": older, "batch": batch})
    return rows.mappings().all()


async def asked(conn: AsyncConnection, message_id: UUID) -> None:
    """Do not ask again for five minutes."""
    await conn.execute(
        text(
            "update messages set due_at = clock_timestamp() + interval '5 minutes'"
            " where id = :id and state = 'in_doubt'"
        ),
        {"id": message_id},
    )
