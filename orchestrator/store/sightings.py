"""Hits on messages and pages as they come in: many in one statement, to be judged afterwards.

They have a state of their own, `seen`, so that no answer is read behind them and no hand-over looks
through them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import RowMapping, select
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.ids import uuid7s
from orchestrator.models.engagement import provider_events
from orchestrator.store.direct import Statement


@dataclass(frozen=True, slots=True)
class Sighting:
    """One hit that is to be stored. `message_id` of an open, a click or a trap; `enrollment_id` of
    a look at the page. `too_fast`: seconds after the hand-over in which it tells another story."""

    source: str
    external_id: str
    kind: str
    raw: bytes = field(repr=False)
    detail: str  # JSON
    message_id: UUID | None = None
    enrollment_id: UUID | None = None
    too_fast: float = 0.0
    most: int = 100


# Who has opted out is not followed any more; a message has room for so many hits and no more, since
# whoever holds a link could fill the table otherwise. Those are found by the message and by nothing
# else, once a batch: a plan that was kept from when there were few read every hit there is, 2 ms a
# batch at 8,000 of them.
_ADD = Statement(
    """
    insert into provider_events (id, source, external_id, kind, raw, detail, prospect_id,
                                 message_id, received_at, state)
    select id, source, external_id, kind, raw, cast(detail as jsonb), prospect_id, message_id,
           :now, 'seen'
      from (select w.id, w.source, w.kind, w.raw, w.detail, w.message_id, w.most,
                   p.id as prospect_id,
                   w.external_id || case when w.too_fast > 0
                     and coalesce(extract(epoch from :now - m.handed_at) < w.too_fast, true)
                     then '\\:early' else '' end as external_id,
                   case when w.message_id is null then 0 else
                     row_number() over (partition by w.message_id order by w.id)
                     + coalesce(k.known, 0) end as place
              from unnest(cast(:ids as uuid[]), cast(:sources as text[]),
                          cast(:external_ids as text[]), cast(:kinds as text[]),
                          cast(:raws as bytea[]), cast(:details as text[]),
                          cast(:messages as uuid[]), cast(:enrollments as uuid[]),
                          cast(:too_fast as float8[]), cast(:most as int[]))
                   as w(id, source, external_id, kind, raw, detail, message_id, enrollment_id,
                        too_fast, most)
              left join (
                select d.message_id,
                       (select count(*) from provider_events e
                         where e.message_id = d.message_id and e.source || '' = 'track') as known
                  from (select distinct unnest(cast(:messages as uuid[]))) as d(message_id)) k
                on k.message_id = w.message_id
              left join messages m on m.id = w.message_id
              left join enrollments e on e.id = w.enrollment_id
              join prospects p on p.id = coalesce(m.prospect_id, e.prospect_id)
             where p.opted_out_at is null) found
     where place <= most
    on conflict (source, external_id) do nothing
    returning id
    """
)


async def add(conn: AsyncConnection, sightings: Sequence[Sighting], *, now: datetime) -> int:
    """Store what is new. Returns how many are."""
    # In one order everywhere: two writers that hold the same hits wait, and do not deadlock.
    ordered = sorted(sightings, key=lambda one: one.external_id)
    rows = await _ADD.fetch(
        conn,
        {
            "now": now,
            "ids": uuid7s(len(ordered)),
            "sources": [one.source for one in ordered],
            "external_ids": [one.external_id for one in ordered],
            "kinds": [one.kind for one in ordered],
            "raws": [one.raw for one in ordered],
            "details": [one.detail for one in ordered],
            "messages": [one.message_id for one in ordered],
            "enrollments": [one.enrollment_id for one in ordered],
            "too_fast": [one.too_fast for one in ordered],
            "most": [one.most for one in ordered],
        },
    )
    return len(rows)


async def claim(conn: AsyncConnection, *, without: Sequence[UUID] = ()) -> RowMapping | None:
    """Lock the oldest hit that is still to be judged and that nobody else holds."""
    rows = await conn.execute(
        select(provider_events)
        .where(
            provider_events.c.state == "seen",
            provider_events.c.id.not_in(list(without)),
        )
        .order_by(provider_events.c.received_at, provider_events.c.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    return rows.mappings().one_or_none()
