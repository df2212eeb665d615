"""Connections: who let which sender in, and where the provider keeps the conversation."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import RowMapping, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.ids import uuid7
from orchestrator.models.people import connections


async def of_identities(
    conn: AsyncConnection, identity_ids: Sequence[UUID]
) -> dict[tuple[UUID, UUID], RowMapping]:
    """Connections by (identity, sender)."""
    if not identity_ids:
        return {}
    rows = await conn.execute(
        select(connections).where(connections.c.identity_id.in_(list(identity_ids)))
    )
    return {(row["identity_id"], row["sender_id"]): row for row in rows.mappings()}


_NOTE = text("""
insert into connections as c (id, identity_id, prospect_id, sender_id, state, user_ref, thread_ref,
  request_ref, invited_at, connected_at, ended_at)
values (:id, :identity, :prospect, :sender, :state, :user_ref, :thread_ref, :request_ref,
  case when :state = 'invited' then cast(:now as timestamptz) end,
  case when :state = 'connected' then cast(:now as timestamptz) end,
  case when :state in ('declined', 'withdrawn') then cast(:now as timestamptz) end)
on conflict (identity_id, sender_id) do update set
  -- Being let in is not undone by the late news that an invitation was sent.
  state = case when c.state = 'connected' and excluded.state in ('none', 'invited') then c.state
    else excluded.state end,
  user_ref = coalesce(excluded.user_ref, c.user_ref),
  thread_ref = coalesce(excluded.thread_ref, c.thread_ref),
  request_ref = coalesce(excluded.request_ref, c.request_ref),
  invited_at = coalesce(excluded.invited_at, c.invited_at),
  connected_at = coalesce(excluded.connected_at, c.connected_at),
  ended_at = coalesce(excluded.ended_at, c.ended_at)
""")


async def note(
    conn: AsyncConnection,
    *,
    identity_id: UUID,
    prospect_id: UUID,
    sender_id: UUID,
    state: str,
    now: datetime,
    user_ref: str | None = None,
    thread_ref: str | None = None,
    request_ref: str | None = None,
) -> None:
    """Write what was learned; references that are None stay as they were."""
    await conn.execute(
        _NOTE,
        {
            "id": uuid7(),
            "identity": identity_id,
            "prospect": prospect_id,
            "sender": sender_id,
            "state": state,
            "user_ref": user_ref,
            "thread_ref": thread_ref,
            "request_ref": request_ref,
            "now": now,
        },
    )


_WHO = text("""
select i.prospect_id, i.id as identity_id from identities i
where i.channel = :channel and i.address = :address
union
select c.prospect_id, c.identity_id from connections c
where c.sender_id = :sender and (c.user_ref = :user_ref or c.thread_ref = :thread_ref
  or c.request_ref = :request_ref)
""")


async def who(
    conn: AsyncConnection,
    *,
    sender_id: UUID,
    channel: str,
    address: str | None,
    user_ref: str | None,
    thread_ref: str | None,
    request_ref: str | None,
) -> list[RowMapping]:
    """Whom an event can be about: by address, else by the provider's references of this sender."""
    rows = await conn.execute(
        _WHO,
        {
            "sender": sender_id,
            "channel": channel,
            "address": address,
            "user_ref": user_ref,
            "thread_ref": thread_ref,
            "request_ref": request_ref,
        },
    )
    return list(rows.mappings())


_THEIRS = text("""
with c as (select * from connections where prospect_id = :prospect and sender_id = :sender)
select cast(:address as text) is null and cast(:user_ref as text) is null
  or exists (select 1 from identities i where i.prospect_id = :prospect
    and i.channel = :channel and i.address = :address)
  or exists (select 1 from c where c.user_ref = :user_ref)
  or exists (select 1 from c where c.thread_ref = :thread_ref)
    and not exists (select 1 from c where c.user_ref <> :user_ref)
""")


async def is_theirs(
    conn: AsyncConnection,
    *,
    prospect_id: UUID,
    sender_id: UUID,
    channel: str,
    address: str | None,
    user_ref: str | None,
    thread_ref: str | None,
) -> bool:
    """Whether the person did it, as far as the provider says who did: others may write where they
    are spoken to. Whose user is not known yet is whoever is in their conversation."""
    rows = await conn.execute(
        _THEIRS,
        {
            "prospect": prospect_id,
            "sender": sender_id,
            "channel": channel,
            "address": address,
            "user_ref": user_ref,
            "thread_ref": thread_ref,
        },
    )
    return bool(rows.scalar_one())


_ADMIT = text(r"""
update enrollments e set due_at = :now
where e.prospect_id = :prospect and e.state = 'active' and e.due_at > :now
  and exists (select 1 from messages m where m.enrollment_id = e.id and m.kind = 'request'
    and m.step = e.step || '\:request' and m.sender_id = :sender)
returning e.id
""")


async def admit(
    conn: AsyncConnection, *, prospect_id: UUID, sender_id: UUID, now: datetime
) -> list[UUID]:
    """Wake the enrollments whose message waits to be let in by this person. Returns their ids."""
    rows = await conn.execute(_ADMIT, {"prospect": prospect_id, "sender": sender_id, "now": now})
    return list(rows.scalars())


async def admit_if_connected(
    conn: AsyncConnection,
    *,
    identity_id: UUID,
    prospect_id: UUID,
    sender_id: UUID,
    now: datetime,
) -> None:
    """`admit`, if they have let us in already."""
    row = (await of_identities(conn, [identity_id])).get((identity_id, sender_id))
    if row is not None and row["state"] == "connected":
        await admit(conn, prospect_id=prospect_id, sender_id=sender_id, now=now)


_REQUESTS = text("""
select count(*) filter (where coalesce(handed_at, clock_timestamp())
    > clock_timestamp() - interval '1 day') as day,
  count(*) as week
from messages
where sender_id = :sender and kind = 'request'
  and state in ('leased', 'sending', 'sent', 'in_doubt')
  and coalesce(handed_at, clock_timestamp()) > clock_timestamp() - interval '7 days'
""")


async def recent_requests(conn: AsyncConnection, sender_id: UUID) -> tuple[int, int]:
    """How many invitations this sender has handed over, or is about to, in a day and in a week."""
    row = (await conn.execute(_REQUESTS, {"sender": sender_id})).one()
    return int(row.day), int(row.week)


_STALE = text("""
select c.id, c.identity_id, c.prospect_id, c.sender_id, c.request_ref, s.channel
from connections c join senders s on s.id = c.sender_id and s.paused_at is null
where c.state = 'invited' and c.request_ref is not null
  and c.invited_at < cast(:now as timestamptz) - make_interval(days => :days)
  and c.sender_id = :sender
limit 20
""")


async def stale_invitations(
    conn: AsyncConnection, sender_id: UUID, *, days: int, now: datetime
) -> list[RowMapping]:
    """Invitations of this sender that nobody accepted within `days`."""
    rows = await conn.execute(_STALE, {"sender": sender_id, "days": days, "now": now})
    return list(rows.mappings())


_NOTES = text("""
select count(*) from messages m join frozen f on f.message_id = m.id and f.text <> ''
where m.sender_id = :sender and m.kind = 'request'
  and f.frozen_at > clock_timestamp() - interval '30 days'
""")


async def recent_notes(conn: AsyncConnection, sender_id: UUID) -> int:
    """How many invitations with a note this sender has written within 30 days."""
    return int((await conn.execute(_NOTES, {"sender": sender_id})).scalar_one())
