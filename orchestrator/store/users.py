"""Users and their recovery codes."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, delete, func, insert, literal, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.models.accounts import recovery_codes, users

# Everything that anybody may see of an account.
SHOWN = (
    users.c.id,
    users.c.email,
    users.c.name,
    users.c.role,
    users.c.language,
    users.c.theme,
    users.c.password_hash.is_not(None).label("has_password"),
    users.c.totp_secret.is_not(None).label("has_totp"),
    users.c.disabled_at,
    users.c.signed_in_at,
    users.c.created_at,
)
LISTING = select(*SHOWN)
_FIRST = 0x41565442  # the advisory lock of whoever makes the first user


async def add(conn: AsyncConnection, **values: Any) -> None:
    """Insert a user. Violates uq_users_email when the address is taken."""
    await conn.execute(insert(users).values(**values))


async def everyone(conn: AsyncConnection) -> list[RowMapping]:
    """All users by name, without their secrets."""
    rows = await conn.execute(LISTING.order_by(func.lower(users.c.name), users.c.id))
    return list(rows.mappings())


async def by_email(conn: AsyncConnection, email: str, *, lock: bool = False) -> RowMapping | None:
    """The user with this folded address, secrets and all."""
    query = select(users).where(users.c.email == email)
    return (await conn.execute(query.with_for_update() if lock else query)).mappings().first()


async def by_id(conn: AsyncConnection, user_id: UUID, *, lock: bool = False) -> RowMapping | None:
    """The same by id."""
    query = select(users).where(users.c.id == user_id)
    return (await conn.execute(query.with_for_update() if lock else query)).mappings().first()


async def change(conn: AsyncConnection, user_id: UUID, **values: Any) -> None:
    """Set columns of one user."""
    await conn.execute(update(users).where(users.c.id == user_id).values(**values))


async def any_exists(conn: AsyncConnection) -> bool:
    """Whether anybody has an account here."""
    return (await conn.execute(select(literal(1)).select_from(users).limit(1))).first() is not None


async def lock_first(conn: AsyncConnection) -> None:
    """One at a time may look whether there is a user, and make the first one."""
    await conn.execute(text("select pg_advisory_xact_lock(:n)"), {"n": _FIRST})


async def lock_admins(conn: AsyncConnection) -> list[UUID]:
    """Those who can still sign in as admin, locked in order: one of them has to stay."""
    rows = await conn.execute(
        select(users.c.id)
        .where(users.c.role == "admin", users.c.disabled_at.is_(None))
        .order_by(users.c.id)
        .with_for_update()
    )
    return list(rows.scalars())


async def use_step(conn: AsyncConnection, user_id: UUID, step: int) -> bool:
    """Mark a TOTP time step as used. False: it was, or a later one was."""
    made = await conn.execute(
        update(users)
        .where(users.c.id == user_id, func.coalesce(users.c.totp_step, -1) < step)
        .values(totp_step=step)
    )
    return made.rowcount == 1


async def put_codes(conn: AsyncConnection, user_id: UUID, hashes: Iterable[bytes]) -> None:
    """These recovery codes and no others."""
    await conn.execute(delete(recovery_codes).where(recovery_codes.c.user_id == user_id))
    rows = [{"user_id": user_id, "code_hash": one} for one in hashes]
    if rows:
        await conn.execute(insert(recovery_codes), rows)


async def use_code(conn: AsyncConnection, user_id: UUID, code_hash: bytes, now: datetime) -> bool:
    """Use a recovery code up. False: there is none such, or it was used."""
    made = await conn.execute(
        update(recovery_codes)
        .where(
            recovery_codes.c.user_id == user_id,
            recovery_codes.c.code_hash == code_hash,
            recovery_codes.c.used_at.is_(None),
        )
        .values(used_at=now)
    )
    return made.rowcount == 1


async def codes_left(conn: AsyncConnection, user_id: UUID) -> int:
    """How many recovery codes are still good."""
    row = await conn.execute(
        select(func.count())
        .select_from(recovery_codes)
        .where(recovery_codes.c.user_id == user_id, recovery_codes.c.used_at.is_(None))
    )
    return int(row.scalar_one())
