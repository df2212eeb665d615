"""Messages as the outbox: written by the planner, looked up by id and thread."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.models.messages import messages
from orchestrator.rules.outgoing import OF_STEPS
from orchestrator.store.direct import Statement

# Arrays, one a column: a statement with a parameter for each value takes 70 us of Python a row.
_PLANNED = {
    "id": "uuid",
    "enrollment_id": "uuid",
    "prospect_id": "uuid",
    "step": "text",
    "kind": "text",
    "channel": "text",
    "sender_id": "uuid",
    "identity_id": "uuid",
    "unlock_id": "uuid",
    "thread_of": "uuid",
    "due_at": "timestamptz",
    "rfc_message_id": "text",
}
_INSERT = Statement(f"""
insert into messages ({", ".join(_PLANNED)})
select * from unnest({", ".join(f"cast(:{name} as {kind}[])" for name, kind in _PLANNED.items())})
on conflict do nothing returning id
""")  # noqa: S608 - names of this file


async def insert_planned(conn: AsyncConnection, rows: Sequence[dict[str, Any]]) -> set[UUID]:
    """Insert pending messages; a step that has its message already keeps it (L2). Returns the ids
    that are new."""
    if not rows:
        return set()
    made = await _INSERT.fetch(conn, {name: [row[name] for row in rows] for name in _PLANNED})
    return {row["id"] for row in made}


_OF_STEPS = Statement("""
select enrollment_id, step, id, kind, channel, sender_id, identity_id from messages
where enrollment_id = any(cast(:ids as uuid[])) and kind = any(cast(:kinds as text[]))
order by id
""")


async def of_steps(
    conn: AsyncConnection, enrollment_ids: Sequence[UUID]
) -> defaultdict[UUID, dict[str, Mapping[str, Any]]]:
    """What was written of these enrollments, by enrollment and step, oldest first: id, step,
    channel, sender and identity. Without what is about bookings."""
    found: defaultdict[UUID, dict[str, Mapping[str, Any]]] = defaultdict(dict)
    values = {"ids": list(enrollment_ids), "kinds": list(OF_STEPS)}
    for row in await _OF_STEPS.fetch(conn, values):
        found[row["enrollment_id"]][row["step"]] = row
    return found


async def get(conn: AsyncConnection, message_id: UUID) -> RowMapping | None:
    """One message."""
    rows = await conn.execute(select(messages).where(messages.c.id == message_id))
    return rows.mappings().one_or_none()


async def owner(conn: AsyncConnection, message_id: UUID) -> UUID | None:
    """The prospect that a message is to."""
    rows = await conn.execute(select(messages.c.prospect_id).where(messages.c.id == message_id))
    found: UUID | None = rows.scalar_one_or_none()
    return found


_ABOUT = text("""
select id, prospect_id, enrollment_id, identity_id, kind, handed_at from messages
where sender_id = :sender and (id = :id or rfc_message_id = :rfc or provider_ref = :ref)
order by (id = :id) desc nulls last, (rfc_message_id = :rfc) desc nulls last
limit 1
""")


async def about(
    conn: AsyncConnection,
    *,
    sender_id: UUID,
    message_id: UUID | None,
    rfc_message_id: str | None,
    provider_ref: str | None,
) -> RowMapping | None:
    """The message of this sender that an event names: by our id, by Message-ID, by the provider's
    reference. No account speaks for another's messages."""
    if message_id is None and rfc_message_id is None and provider_ref is None:
        return None
    rows = await conn.execute(
        _ABOUT,
        {"id": message_id, "rfc": rfc_message_id, "ref": provider_ref, "sender": sender_id},
    )
    return rows.mappings().one_or_none()


_EVIDENCE = text("""
update messages set state = 'sent', settled_at = :now, last_class = 'evidence',
  last_detail = :evidence
where id = :id and state = 'in_doubt'
returning id, enrollment_id, prospect_id, step, kind, fence
""")


async def settle_by_evidence(
    conn: AsyncConnection, message_id: UUID, *, evidence: str, now: datetime
) -> RowMapping | None:
    """A message in doubt that something came back for has left: mark it sent. None: no doubt."""
    rows = await conn.execute(_EVIDENCE, {"id": message_id, "evidence": evidence, "now": now})
    return rows.mappings().one_or_none()
