"""Enrollments that nothing would ever move again and that nobody was asked about."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

# One that is `sending` moves while a message of its own is on its way; one that is `held` while a
# task about it, or about an answer of its person, is open.
_STRANDED = text("""
select e.id, e.prospect_id, e.state, e.step, m.id as message_id, m.state as message_state
from enrollments e
left join lateral (
  select d.id, d.state, coalesce(d.settled_at, d.handed_at, d.due_at) as ended_at
  from messages d where d.enrollment_id = e.id
    and d.kind not in ('invitation', 'host_invitation')
  order by d.id desc limit 1) m on true
where e.state in ('sending', 'held')
  and (cast(:prospect as uuid) is null or e.prospect_id = :prospect)
  and greatest(e.entered_step_at, m.ended_at) < :before
  and (e.state = 'held' or not exists (select 1 from messages o where o.enrollment_id = e.id
    and o.kind not in ('invitation', 'host_invitation')
    and o.state in ('pending', 'retry_wait', 'leased', 'sending')))
  and not exists (select 1 from tasks t where t.prospect_id = e.prospect_id and t.state = 'open'
    and (t.enrollment_id = e.id or t.kind = 'unclear_answer'))
order by e.prospect_id, e.id
limit :batch
""")


async def find(
    conn: AsyncConnection,
    *,
    now: datetime,
    grace: timedelta,
    prospect_id: UUID | None = None,
    batch: int = 200,
) -> Sequence[RowMapping]:
    """Enrollments that stand still for longer than `grace`: id, prospect_id, state, step, and the
    newest message of theirs. Of one prospect, whose row is locked, or of all."""
    found = await conn.execute(
        _STRANDED, {"before": now - grace, "prospect": prospect_id, "batch": batch}
    )
    return found.mappings().all()
