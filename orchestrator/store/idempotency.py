"""The answers that an Idempotency-Key replays."""

from datetime import timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.models.access import idempotency_keys


async def try_lock(conn: AsyncConnection, api_key_id: UUID, key: str) -> bool:
    """Whether this transaction is now the only one that works under `key`."""
    number = int.from_bytes(
        sha256(api_key_id.bytes + key.encode()).digest()[:8], "big", signed=True
    )
    got = await conn.execute(select(func.pg_try_advisory_xact_lock(number)))
    return bool(got.scalar_one())


async def find(conn: AsyncConnection, api_key_id: UUID, key: str) -> dict[str, Any] | None:
    """The stored request hash, status and body, or None."""
    row = await conn.execute(
        select(idempotency_keys).where(
            idempotency_keys.c.api_key_id == api_key_id, idempotency_keys.c.key == key
        )
    )
    found = row.mappings().first()
    return dict(found) if found else None


async def keep(
    conn: AsyncConnection,
    *,
    api_key_id: UUID,
    key: str,
    request_hash: bytes,
    status: int,
    body: bytes,
) -> None:
    """Store the answer of a request."""
    await conn.execute(
        insert(idempotency_keys).values(
            api_key_id=api_key_id, key=key, request_hash=request_hash, status=status, body=body
        )
    )


async def forget(conn: AsyncConnection, older_than: timedelta) -> int:
    """Delete answers that nobody will ask for again; how many."""
    gone = await conn.execute(
        delete(idempotency_keys).where(idempotency_keys.c.created_at < func.now() - older_than)
    )
    return gone.rowcount
