"""What the database itself refuses, also by hand in SQL (section 4 of the design)."""

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from orchestrator.db import transaction
from orchestrator.keys import Keys
from tests import make

LEGAL = {
    "pending": {"leased", "cancelled", "suppressed"},
    "retry_wait": {"leased", "cancelled", "suppressed", "failed"},
    "leased": {"sending", "retry_wait", "failed", "cancelled", "suppressed"},
    "sending": {"sent", "retry_wait", "failed", "in_doubt"},
    "in_doubt": {"sent", "retry_wait", "abandoned"},
    "sent": set(),
    "failed": set(),
    "abandoned": set(),
    "cancelled": set(),
    "suppressed": set(),
}
# How to get to each state without leaving the law.
WAYS = {
    "pending": [],
    "retry_wait": ["leased", "retry_wait"],
    "leased": ["leased"],
    "sending": ["leased", "sending"],
    "in_doubt": ["leased", "sending", "in_doubt"],
    "sent": ["leased", "sending", "sent"],
    "failed": ["leased", "failed"],
    "abandoned": ["leased", "sending", "in_doubt", "abandoned"],
    "cancelled": ["cancelled"],
    "suppressed": ["suppressed"],
}


async def a_message(conn: AsyncConnection, keys: Keys, **values: Any) -> UUID:
    made = await make.world(conn)
    owner = await make.prospect(conn, keys)
    enrolled = await make.enrollment(conn, made, owner)
    found = await conn.execute(
        text("select id from identities where prospect_id = :p"), {"p": owner}
    )
    return await make.message(conn, made, owner, enrolled, found.scalar_one(), **values)


async def put(conn: AsyncConnection, message: UUID, state: str) -> None:
    await conn.execute(
        text("update messages set state = :s, fence = fence + 1 where id = :id"),
        {"s": state, "id": message},
    )


async def refused(engine: AsyncEngine, statement: str, **values: Any) -> str:
    """The name of the constraint that refused `statement`; fails when it was taken."""
    with pytest.raises(DBAPIError) as caught:
        async with transaction(engine) as conn:
            await conn.execute(text(statement), values)
    return str(caught.value.orig)


@pytest.mark.parametrize("state", LEGAL)
async def test_only_the_transitions_of_the_design(
    engine: AsyncEngine, keys: Keys, state: str
) -> None:
    """L2."""
    async with transaction(engine) as conn:
        message = await a_message(conn, keys)
        for step in WAYS[state]:
            await put(conn, message, step)
        for target in LEGAL:
            savepoint = await conn.begin_nested()
            try:
                await put(conn, message, target)
                allowed = True
            except DBAPIError:
                allowed = False
            await savepoint.rollback()
            assert allowed == (target in LEGAL[state] or target == state), (state, target)


async def test_a_message_starts_pending_and_its_fence_never_falls(
    engine: AsyncEngine, keys: Keys
) -> None:
    with pytest.raises(DBAPIError, match="starts as pending"):
        async with transaction(engine) as conn:
            await a_message(conn, keys, state="sent")
    async with transaction(engine) as conn:
        message = await a_message(conn, keys)
        await put(conn, message, "leased")
    assert "never falls" in await refused(engine, "update messages set fence = 0")
    async with transaction(engine) as conn:
        await conn.execute(text("update messages set state = 'retry_wait'"))
    assert "raises the fence" in await refused(engine, "update messages set state = 'leased'")


async def test_a_step_has_one_message(engine: AsyncEngine, keys: Keys) -> None:
    """L2."""
    async with transaction(engine) as conn:
        await a_message(conn, keys)
    assert "uq_messages_enrollment_id_step" in await refused(
        engine,
        "insert into messages (id, enrollment_id, prospect_id, step, channel, sender_id,"
        " identity_id, due_at, rfc_message_id) select gen_random_uuid(), enrollment_id,"
        " prospect_id, step, channel, sender_id, identity_id, due_at, 'another' from messages",
    )


async def test_an_offer_needs_an_unlock(engine: AsyncEngine, keys: Keys) -> None:
    """L1."""
    with pytest.raises(DBAPIError, match="offer_needs_unlock"):
        async with transaction(engine) as conn:
            await a_message(conn, keys, kind="call_offer")


@pytest.mark.parametrize(
    ("table", "statement"),
    [
        ("sequence_versions", "update sequence_versions set number = 2"),
        ("sequence_versions", "delete from sequence_versions"),
        ("history", "update history set kind = 'x'"),
        ("history", "delete from history"),
        ("history", "truncate history"),
        ("engagements", "update engagements set grade = 'human'"),
        ("engagements", "delete from engagements"),
        ("frozen", "update frozen set payload = ''"),
    ],
)
async def test_what_is_append_only(
    engine: AsyncEngine, keys: Keys, table: str, statement: str
) -> None:
    """L7."""
    async with transaction(engine) as conn:
        message = await a_message(conn, keys)
        await conn.execute(text("insert into history (at, kind) values (now(), 'x')"))
        await conn.execute(
            text(
                "insert into engagements (id, prospect_id, kind, grade, happened_at)"
                " select gen_random_uuid(), prospect_id, 'open', 'ambiguous', now() from messages"
            )
        )
        await conn.execute(
            text(
                "insert into frozen (message_id, recipient, payload, sha256)"
                " values (:m, 'a@b.example', 'x', 'x')"
            ),
            {"m": message},
        )
    assert f"{table} is append-only" in await refused(engine, statement)
