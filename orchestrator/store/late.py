"""What waits for a person because it is late, or may have left after a backup was taken."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

_LET_GO = text("""
update messages m set due_at = :now from enrollments e
where m.id = :message and m.state in ('pending', 'retry_wait') and e.id = m.enrollment_id
returning m.id
""")


async def let_go(
    conn: AsyncConnection, enrollment_id: UUID, message_id: UUID | None, *, now: datetime
) -> None:
    """A held, locked enrollment goes on: its unsent message is due now, or its step is planned."""
    going = None
    if message_id is not None:
        going = (await conn.execute(_LET_GO, {"message": message_id, "now": now})).first()
    await conn.execute(
        text(
            "update enrollments set state = :state, due_at = :due where id = :id and state = 'held'"
        ),
        {
            "id": enrollment_id,
            "state": "sending" if going else "active",
            "due": None if going else now,
        },
    )


_DROP = text("""
update messages set state = 'cancelled', last_class = 'late', lease_owner = null, lease_until = null
where id = :id and state in ('pending', 'retry_wait', 'leased')
returning id, prospect_id, enrollment_id, step
""")


async def drop(conn: AsyncConnection, message_id: UUID) -> list[RowMapping]:
    """Cancel an unsent message: it, or nothing when it is over."""
    return list((await conn.execute(_DROP, {"id": message_id})).mappings())


@dataclass(frozen=True, slots=True)
class Before:
    """A message that had left by a restore: since when at the earliest, and when that was."""

    left_at: datetime
    restored_at: datetime


_BEFORE = text("""
select m.handed_at, c.restored_at from messages m cross join clock c
where m.enrollment_id = :enrollment and m.step = :step and m.state = 'sent'
  and m.handed_at <= c.restored_at
""")


async def left_before(conn: AsyncConnection, enrollment_id: UUID, step: str) -> Before | None:
    """Whether the message of a step left before this database was restored."""
    row = (await conn.execute(_BEFORE, {"enrollment": enrollment_id, "step": step})).first()
    return Before(row[0], row[1]) if row else None


_WAITING = """
from tasks t join enrollments e on e.id = t.enrollment_id
join sequences q on q.id = e.sequence_id join senders s on s.id = e.sender_id
join prospects p on p.id = t.prospect_id
where t.state = 'open'
  and (t.kind = 'late' or (t.kind = 'in_doubt' and t.detail->>'reason' = 'restored'))
  and (cast(:sequence as text) is null or q.name = :sequence)
  and (cast(:sender as text) is null or s.name = :sender)
  and (cast(:reason as text) is null or t.detail->>'reason' = :reason)
"""

_GROUPS = text(f"""
select q.name as sequence, s.name as sender, t.detail->>'reason' as reason, t.step,
  count(*) as waiting, min(t.created_at) as since {_WAITING}
group by 1, 2, 3, 4 order by 1, 2, 3, 4
""")

_PICK = text(f"""
select t.id, t.kind, t.prospect_id, t.enrollment_id, t.step,
  trim(concat_ws(' ', p.first_name, p.last_name)) as who, q.name as sequence
{_WAITING} and t.id > :after order by t.id limit :most
""")


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which of what waits: all of it where nothing is named."""

    sequence: str | None = None
    sender: str | None = None
    reason: str | None = None  # late | restored

    def values(self) -> dict[str, str | None]:
        """As parameters of a query."""
        return {"sequence": self.sequence, "sender": self.sender, "reason": self.reason}


async def groups(conn: AsyncConnection, chosen: Chosen) -> Sequence[RowMapping]:
    """What waits, by sequence, sender, reason and step: waiting, since."""
    return (await conn.execute(_GROUPS, chosen.values())).mappings().all()


async def pick(
    conn: AsyncConnection, chosen: Chosen, *, after: UUID, most: int
) -> Sequence[RowMapping]:
    """The next tasks of what waits, by id: id, kind, prospect_id, enrollment_id, step,
    who, sequence."""
    values = chosen.values() | {"after": after, "most": most}
    return (await conn.execute(_PICK, values)).mappings().all()
