"""How `avtale verify` reads: read-only transactions, a page of ids at a time, short statements."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

Key = UUID | int

# Tables whose key is not `id`.
_KEYS = {"frozen": "message_id"}


def key_of(table: str) -> str:
    """The column that a table is paged by."""
    return _KEYS.get(table, "id")


async def begin(conn: AsyncConnection, *, seconds: float) -> None:
    """Make this transaction read only, and end each statement after `seconds`. No lock is waited
    for: whatever a migration holds, verify comes back later."""
    await conn.execute(text("set transaction read only"))
    await conn.execute(
        text(
            "select set_config('statement_timeout', :most, true),"
            " set_config('lock_timeout', '1s', true), set_config('jit', 'off', true)"
        ),
        {"most": f"{int(seconds * 1000)}ms"},
    )


async def page(conn: AsyncConnection, table: str, *, after: Key, size: int) -> list[Key]:
    """The next `size` keys of a table, in order."""
    key = key_of(table)
    rows = await conn.execute(
        text(f"select {key} from {table} where {key} > :after order by {key} limit :size"),
        {"after": after, "size": size},
    )
    return list(rows.scalars())


async def size_of(conn: AsyncConnection, table: str) -> int:
    """About how many rows a table has, as the planner knows it; 0 when it knows nothing."""
    row = await conn.execute(
        text(
            "select cast(greatest(reltuples, 0) as bigint) from pg_class"
            " where oid = to_regclass(:table)"
        ),
        {"table": f"public.{table}"},
    )
    return int(row.scalar_one_or_none() or 0)


async def ask(
    conn: AsyncConnection,
    statement: str,
    ids: Sequence[Key],
    *,
    before: datetime,
    now: datetime,
    doubt_after: float,
) -> Sequence[RowMapping]:
    """Rows (id, prospect_id, found) for which a check does not hold, among `ids`.

    `before`: what is younger may be in flight. `doubt_after`: seconds of a hand-over.
    """
    values: dict[str, Any] = {
        "ids": list(ids),
        "before": before,
        "now": now,
        "doubt_after": doubt_after,
    }
    asked = text(statement)
    known = set(asked.compile().params)
    rows = await conn.execute(asked, {name: one for name, one in values.items() if name in known})
    return rows.mappings().all()


_LINES = text("""
select h.message_id, h.kind, cast(h.detail->>'fence' as bigint) as fence, h.detail->>'by' as by
from messages m join history h on h.prospect_id = m.prospect_id and h.message_id = m.id
where m.id = any(cast(:ids as uuid[])) and h.kind = any(cast(:kinds as text[]))
order by h.message_id, h.id
""")


async def lines(
    conn: AsyncConnection, ids: Sequence[Key], kinds: Sequence[str]
) -> Sequence[RowMapping]:
    """The history of these messages: message_id, kind, fence, by; each one's in order."""
    rows = await conn.execute(_LINES, {"ids": list(ids), "kinds": list(kinds)})
    return rows.mappings().all()


_ROWS = {
    "messages": "select id, prospect_id, state, fence, attempt, rfc_message_id from messages",
    "identities": "select id, prospect_id, channel, address, address_hash from identities",
    "sequence_versions": "select id, definition, digest from sequence_versions",
    "senders": "select id, secrets from senders",
}


async def rows(conn: AsyncConnection, table: str, ids: Sequence[Key]) -> Sequence[RowMapping]:
    """What the checks that are no query need of these rows."""
    found = await conn.execute(
        text(f"{_ROWS[table]} where id = any(cast(:ids as uuid[]))"), {"ids": list(ids)}
    )
    return found.mappings().all()
