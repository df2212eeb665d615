"""Senders: one account on one channel each, with its pace and its hours."""

import json
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import RowMapping, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from channels.base import Account
from orchestrator.errors import NotFound
from orchestrator.keys import Keys
from orchestrator.models.messages import lanes, senders
from orchestrator.store.direct import Statement


def account_of(row: Mapping[Any, Any], keys: Keys) -> Account:
    """The account that a channel is given. Raises SetupError when the secret key has changed."""
    return Account(
        id=row["id"],
        name=row["name"],
        address=row["address"],
        display_name=row["display_name"],
        settings=row["settings"],
        secrets=keys.unseal(row["secrets"]) if row["secrets"] is not None else {},
    )


async def load_account(conn: AsyncConnection, keys: Keys, sender_id: UUID) -> Account:
    """The account of one sender. Raises NotFound."""
    return account_of(await get(conn, sender_id), keys)


async def of_ids(conn: AsyncConnection, ids: Collection[UUID]) -> dict[UUID, RowMapping]:
    """Sender rows by id, in one query."""
    if not ids:
        return {}
    rows = await conn.execute(select(senders).where(senders.c.id.in_(ids)))
    return {row["id"]: row for row in rows.mappings()}


_ACCOUNTS = Statement("""
select id, name, address, display_name, cast(settings as text) as settings, secrets,
  zone
from senders
where id = any(cast(:ids as uuid[]))
""")
_MAX_KEPT = 4096
# The newest row of each sender as it came, and what was made of it: opening the secrets takes 40 us
# and a sender changes once a month. It is the same sender only while every column is the same.
_kept: dict[UUID, tuple[Keys, tuple[Any, ...], tuple[Account, ZoneInfo]]] = {}


async def accounts(
    conn: AsyncConnection, keys: Keys, ids: Collection[UUID]
) -> dict[UUID, tuple[Account, ZoneInfo]]:
    """Accounts with their zones, in one statement. A sender whose row did not change is the very
    object that it was. Raises SetupError when the secret key has changed."""
    found = {}
    for row in await _ACCOUNTS.fetch(conn, {"ids": list(ids)}) if ids else ():
        values = tuple(row.values())
        kept = _kept.get(row["id"])
        if kept is None or kept[0] is not keys or kept[1] != values:
            made = account_of({**row, "settings": json.loads(row["settings"])}, keys)
            if len(_kept) >= _MAX_KEPT:
                _kept.pop(next(iter(_kept)))
            kept = _kept[row["id"]] = (keys, values, (made, ZoneInfo(row["zone"])))
        found[kept[1][0]] = kept[2]
    return found


async def of_channels(conn: AsyncConnection, channels: Collection[str]) -> dict[UUID, RowMapping]:
    """Sender rows of these channels by id."""
    rows = await conn.execute(select(senders).where(senders.c.channel.in_(channels)))
    return {row["id"]: row for row in rows.mappings()}


async def oldest_of(conn: AsyncConnection, channel: str) -> RowMapping | None:
    """The oldest sender of a channel that is not paused."""
    rows = await conn.execute(
        select(senders)
        .where(senders.c.channel == channel, senders.c.paused_at.is_(None))
        .order_by(senders.c.created_at, senders.c.id)
        .limit(1)
    )
    return rows.mappings().first()


async def get(conn: AsyncConnection, sender_id: UUID) -> RowMapping:
    """One sender. Raises NotFound."""
    row = (await of_ids(conn, [sender_id])).get(sender_id)
    if row is None:
        raise NotFound("There is no such sender.")
    return row


async def by_name(conn: AsyncConnection, name: str, *, lock: bool = False) -> RowMapping:
    """One sender by its name. `lock`: FOR UPDATE, so that what passes the point of no return comes
    before or after and never in between (L4). Raises NotFound."""
    query = select(senders).where(senders.c.name == name)
    rows = await conn.execute(query.with_for_update() if lock else query)
    row = rows.mappings().one_or_none()
    if row is None:
        raise NotFound(f"There is no sender called `{name}`: `avtale senders list` shows them.")
    return row


async def listing(conn: AsyncConnection) -> list[RowMapping]:
    """Every sender by name with its lane; the sealed secrets stay where they are."""
    shown = [column for column in senders.c if column.name != "secrets"]
    moving = [column for column in lanes.c if column.name != "sender_id"]
    rows = await conn.execute(
        select(*shown, *moving, senders.c.secrets.is_not(None).label("has_secrets"))
        .outerjoin(lanes, lanes.c.sender_id == senders.c.id)
        .order_by(senders.c.name)
    )
    return list(rows.mappings())


async def add(conn: AsyncConnection, values: Mapping[str, Any], *, now: datetime) -> None:
    """A new sender with its lane. `values` are columns of `senders`."""
    await conn.execute(insert(senders).values(**values, created_at=now))
    await conn.execute(insert(lanes).values(sender_id=values["id"], free_at=now))


async def change(
    conn: AsyncConnection, sender_id: UUID, values: Mapping[str, Any], *, now: datetime
) -> None:
    """Change columns of a sender whose row is locked. Its lane is looked at anew: it may rest until
    an opening or a midnight that the old hours and the old cap had."""
    await conn.execute(update(senders).where(senders.c.id == sender_id).values(**values))
    await conn.execute(
        update(lanes)
        .where(lanes.c.sender_id == sender_id, lanes.c.free_at > now)
        .values(free_at=now)
    )


async def pause(conn: AsyncConnection, sender_id: UUID, *, reason: str, now: datetime) -> bool:
    """Nothing leaves by this sender until somebody resumes it. The update locks the row, as the
    point of no return does. False: it was paused already, and keeps its reason."""
    made = await conn.execute(
        update(senders)
        .where(senders.c.id == sender_id, senders.c.paused_at.is_(None))
        .values(paused_at=now, pause_reason=reason)
    )
    return made.rowcount == 1


async def resume(conn: AsyncConnection, sender_id: UUID) -> bool:
    """Let a paused sender go on, its lane unparked. False: it was not paused."""
    made = await conn.execute(
        update(senders)
        .where(senders.c.id == sender_id, senders.c.paused_at.is_not(None))
        .values(paused_at=None, pause_reason=None)
    )
    await conn.execute(
        update(lanes)
        .where(lanes.c.sender_id == sender_id)
        # Whoever resumes it decides that what waited may leave: it is not late from now on.
        .values(
            parked_until=None,
            park_reason=None,
            free_at=func.greatest(lanes.c.free_at, func.clock_timestamp()),
        )
    )
    return made.rowcount == 1
