"""Provider events as they arrive by the doors of providers: many in one statement."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Text, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import UUID as SqlUuid
from sqlalchemy.ext.asyncio import AsyncConnection

from channels.base import ChannelEvent
from orchestrator.ids import uuid7s
from orchestrator.store.direct import Statement


@dataclass(frozen=True, slots=True)
class Arrival:
    """One event that is to be stored: columns of `provider_events`."""

    source: str
    external_id: str
    kind: str
    trust: str
    sender_id: UUID
    raw: bytes = field(repr=False)
    detail: dict[str, Any] = field(repr=False)


_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_ADD = Statement(
    """
    insert into provider_events
        (id, source, external_id, kind, trust, sender_id, raw, detail, received_at)
    select id, source, external_id, kind, trust, sender, raw, cast(detail as jsonb), :now
      from unnest(cast(:ids as uuid[]), cast(:sources as text[]), cast(:external_ids as text[]),
                  cast(:kinds as text[]), cast(:trusts as text[]), cast(:senders as uuid[]),
                  cast(:raws as bytea[]), cast(:details as text[]))
           as w(id, source, external_id, kind, trust, sender, raw, detail)
    on conflict (source, external_id) do nothing
    returning id
    """
)


# Whoever any of its references names: rather one too many, who then waits for a second.
_CONCERNED = text(
    """
    select w.place, p.prospect_id
      from unnest(:senders, :messages, :rfcs, :refs, :addresses, :users, :threads)
           with ordinality as w(sender, message, rfc, ref, address, person, thread, place)
     cross join lateral (
       select m.prospect_id from messages m where m.sender_id = w.sender
          and (m.id = w.message or m.rfc_message_id = w.rfc)
        union
       select m.prospect_id from messages m
        where m.sender_id = w.sender and m.provider_ref = w.ref
        union
       select i.prospect_id from identities i join senders s on s.channel = i.channel
        where s.id = w.sender and i.address = w.address
        union
       select c.prospect_id from connections c where c.sender_id = w.sender
          and (c.user_ref = w.person or c.thread_ref = w.thread)) p
    """
).bindparams(
    bindparam("senders", type_=ARRAY(SqlUuid(as_uuid=True))),
    bindparam("messages", type_=ARRAY(SqlUuid(as_uuid=True))),
    *(
        bindparam(name, type_=ARRAY(Text))
        for name in ("rfcs", "refs", "addresses", "users", "threads")
    ),
)


async def concerned(
    conn: AsyncConnection, events: Sequence[tuple[UUID, ChannelEvent]]
) -> list[set[UUID]]:
    """The prospects whom each of these events (of a sender) may be about."""
    found: list[set[UUID]] = [set() for _ in events]
    said = [event for _, event in events]
    rows = await conn.execute(
        _CONCERNED,
        {
            "senders": [sender for sender, _ in events],
            "messages": [one.message_id for one in said],
            "rfcs": [one.rfc_message_id for one in said],
            "refs": [one.provider_ref for one in said],
            "addresses": [one.address for one in said],
            "users": [one.user_ref for one in said],
            "threads": [one.thread_ref for one in said],
        },
    )
    for row in rows:
        found[row.place - 1].add(row.prospect_id)
    return found


async def add(conn: AsyncConnection, arrivals: Sequence[Arrival], *, now: datetime) -> int:
    """Store them, each once for ever. Returns how many are new. Raises what the driver raises."""
    # In one order everywhere: two writers that hold the same events wait, and do not deadlock.
    ordered = sorted(arrivals, key=lambda one: (one.source, one.external_id))
    rows = await _ADD.fetch(
        conn,
        {
            "now": now,
            "ids": uuid7s(len(ordered)),
            "sources": [one.source for one in ordered],
            "external_ids": [one.external_id for one in ordered],
            "kinds": [one.kind for one in ordered],
            "trusts": [one.trust for one in ordered],
            "senders": [one.sender_id for one in ordered],
            "raws": [one.raw for one in ordered],
            "details": [_JSON.encode(one.detail) for one in ordered],
        },
    )
    return len(rows)
