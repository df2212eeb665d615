"""The messages about a booking: where they go, and those that a later change overtakes."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import RowMapping, insert, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.models.messages import messages

_UNSENT = ("pending", "retry_wait", "leased")  # `sending` is past the point of no return


_POST = text("""
select e.id as enrollment_id, e.prospect_id, p.opted_out_at,
  coalesce(last.sender_id, own.id, any_sender.id) as sender_id,
  coalesce(last.sender_address, own.address, any_sender.address) as sender_address,
  i.id as identity_id, sent.id as thread_of
from enrollments e
join prospects p on p.id = e.prospect_id
left join lateral (
  select m.sender_id, s.address as sender_address, m.identity_id
  from messages m join senders s on s.id = m.sender_id
  where m.enrollment_id = e.id and m.channel = 'email' and m.kind <> 'host_invitation'
  order by m.id desc limit 1) last on true
left join senders own on own.id = e.sender_id and own.channel = 'email'
left join lateral (
  select s.id, s.address from senders s where s.channel = 'email'
  order by s.paused_at is not null, s.id limit 1) any_sender on true
left join lateral (
  select i.id from identities i
  where i.prospect_id = e.prospect_id and i.channel = 'email' and i.state = 'usable'
  order by (i.id = last.identity_id) desc nulls last, i.id limit 1) i on true
left join lateral (
  select m.id from messages m
  where m.enrollment_id = e.id and m.channel = 'email' and m.kind <> 'host_invitation'
    and m.state = 'sent'
  order by m.id desc limit 1) sent on true
where e.id = :enrollment_id
""")


async def post(conn: AsyncConnection, enrollment_id: UUID) -> RowMapping:
    """By which mailbox, to which address and in which thread the invitations of an enrollment go:
    those of its last mail, as far as they are. `sender_id` and `identity_id` may be null."""
    return (await conn.execute(_POST, {"enrollment_id": enrollment_id})).mappings().one()


async def add(
    conn: AsyncConnection,
    *,
    message_id: UUID,
    booking_id: UUID,
    unlock_id: UUID,
    post: RowMapping,
    kind: str,
    step: str,
    rfc_message_id: str,
    now: datetime,
) -> None:
    """Insert a pending message of kind invitation or host_invitation, due now."""
    to_prospect = kind == "invitation"
    await conn.execute(
        insert(messages).values(
            id=message_id,
            enrollment_id=post["enrollment_id"],
            prospect_id=post["prospect_id"],
            step=step,
            kind=kind,
            channel="email",
            sender_id=post["sender_id"],
            identity_id=post["identity_id"] if to_prospect else None,
            thread_of=post["thread_of"] if to_prospect else None,
            unlock_id=unlock_id,
            booking_id=booking_id,
            due_at=now,
            rfc_message_id=rfc_message_id,
            created_at=now,
        )
    )


async def cancel(conn: AsyncConnection, booking_id: UUID) -> Sequence[RowMapping]:
    """Cancel invitations of earlier revisions that have not left. Returns id, enrollment, step."""
    rows = await conn.execute(
        update(messages)
        .where(messages.c.booking_id == booking_id, messages.c.state.in_(_UNSENT))
        .values(state="cancelled", lease_owner=None, lease_until=None, last_class="overtaken")
        .returning(messages.c.id, messages.c.prospect_id, messages.c.enrollment_id, messages.c.step)
    )
    return rows.mappings().all()
