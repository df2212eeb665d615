"""What was frozen: the bytes of messages, and the links that are followed in them."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.models.messages import frozen, messages
from orchestrator.models.sequences import enrollments

# A message that may have reached the person: a later one may answer it.
_LEFT = ("sending", "sent", "in_doubt")


async def load(conn: AsyncConnection, message_ids: Collection[UUID]) -> dict[UUID, RowMapping]:
    """What is frozen already, by message."""
    rows = await conn.execute(
        select(frozen.c.message_id, frozen.c.recipient, frozen.c.payload, frozen.c.frozen_at).where(
            frozen.c.message_id.in_(message_ids)
        )
    )
    return {row["message_id"]: row for row in rows.mappings()}


# Arrays, not one VALUES list a batch: that is compiled anew for each length, 48 us of Python a row.
_SAVE = text("""
insert into frozen (message_id, recipient, subject, text, payload, sha256, frozen_at)
select * from unnest(cast(:ids as uuid[]), cast(:recipients as text[]), cast(:subjects as text[]),
  cast(:texts as text[]), cast(:payloads as bytea[]), cast(:hashes as bytea[]),
  cast(:times as timestamptz[]))
on conflict do nothing
returning message_id
""")


async def save(conn: AsyncConnection, rows: Sequence[dict[str, Any]]) -> set[UUID]:
    """Freeze. A message that somebody else froze first keeps that; the ids that are new."""
    if not rows:
        return set()
    columns = {"ids": "message_id", "recipients": "recipient", "subjects": "subject",
               "texts": "text", "payloads": "payload", "hashes": "sha256",
               "times": "frozen_at"}  # fmt: skip
    values = {name: [row[column] for row in rows] for name, column in columns.items()}
    return set((await conn.execute(_SAVE, values)).scalars())


_SAVE_LINKS = text("""
insert into links (id, message_id, url)
select * from unnest(cast(:ids as uuid[]), cast(:messages as uuid[]), cast(:urls as text[]))
on conflict do nothing
""")


async def save_links(conn: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    """Keep the addresses behind the links of what was just frozen."""
    if rows:
        columns = {"ids": "id", "messages": "message_id", "urls": "url"}
        values = {name: [row[column] for row in rows] for name, column in columns.items()}
        await conn.execute(_SAVE_LINKS, values)


async def threads(
    conn: AsyncConnection, enrollment_ids: Collection[UUID]
) -> defaultdict[UUID, list[dict[str, Any]]]:
    """The messages of each enrollment that may have reached the person, oldest first: id,
    thread_of, rfc_message_id, provider_ref, subject."""
    rows = await conn.execute(
        select(
            messages.c.enrollment_id,
            messages.c.id,
            messages.c.thread_of,
            messages.c.rfc_message_id,
            messages.c.provider_ref,
            frozen.c.subject,
        )
        .join(frozen, frozen.c.message_id == messages.c.id)
        .where(
            messages.c.enrollment_id.in_(enrollment_ids),
            messages.c.state.in_(_LEFT),
            messages.c.kind != "host_invitation",
        )
        .order_by(frozen.c.frozen_at, messages.c.id)
    )
    found: defaultdict[UUID, list[dict[str, Any]]] = defaultdict(list)
    for row in rows.mappings():
        found[row["enrollment_id"]].append(dict(row))
    return found


async def versions(conn: AsyncConnection, enrollment_ids: Collection[UUID]) -> dict[UUID, UUID]:
    """The sequence version of each enrollment."""
    rows = await conn.execute(
        select(enrollments.c.id, enrollments.c.version_id).where(
            enrollments.c.id.in_(enrollment_ids)
        )
    )
    return {row.id: row.version_id for row in rows}
