"""What was frozen: the bytes of messages, and the links that are followed in them."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.store.context import Row
from orchestrator.store.direct import Statement


class Frozen(NamedTuple):
    """A row of `frozen`, but for its time."""

    message_id: UUID
    recipient: str
    subject: str
    text: str
    payload: bytes
    sha256: bytes


class Link(NamedTuple):
    """A followed link: `url` is where it leads."""

    id: UUID
    message_id: UUID
    url: str


_LOAD = Statement("""
select message_id, recipient, payload, frozen_at from frozen
where message_id = any(cast(:ids as uuid[]))
""")


async def load(conn: AsyncConnection, message_ids: Collection[UUID]) -> dict[UUID, Row]:
    """What is frozen already, by message."""
    rows = await _LOAD.fetch(conn, {"ids": list(message_ids)})
    return {row["message_id"]: row for row in rows}


# Arrays, not one VALUES list a batch: that is compiled anew for each length, 48 us of Python a row.
_SAVE = Statement("""
with fresh as (
  insert into frozen (message_id, recipient, subject, text, payload, sha256, frozen_at)
  select w.*, cast(:now as timestamptz) from unnest(cast(:ids as uuid[]),
    cast(:recipients as text[]), cast(:subjects as text[]), cast(:texts as text[]),
    cast(:payloads as bytea[]), cast(:hashes as bytea[])) as w
  on conflict do nothing
  returning message_id
), followed as (
  insert into links (id, message_id, url)
  select l.* from unnest(cast(:links as uuid[]), cast(:owners as uuid[]), cast(:urls as text[]))
    as l(id, message_id, url)
  where l.message_id in (select message_id from fresh)
  on conflict do nothing
)
select message_id from fresh
""")


async def save(
    conn: AsyncConnection, rows: Sequence[Frozen], links: Sequence[Link], *, now: datetime
) -> set[UUID]:
    """Freeze. A message that somebody else froze first keeps that, with the links in it; the ids
    that are new."""
    if not rows:
        return set()
    ids, recipients, subjects, texts, payloads, hashes = zip(*rows, strict=True)
    own, owners, urls = zip(*links, strict=True) if links else ((), (), ())
    found = await _SAVE.fetch(
        conn,
        {"now": now, "ids": ids, "recipients": recipients, "subjects": subjects, "texts": texts,
         "payloads": payloads, "hashes": hashes, "links": own, "owners": owners,
         "urls": urls},
    )  # fmt: skip
    return {row["message_id"] for row in found}
