"""What the tests of coming back share: people with a message on its way, and answers."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.flows.engage import engage
from orchestrator.ids import uuid7
from orchestrator.keys import Keys
from orchestrator.models.people import identities
from orchestrator.models.sequences import sequence_versions, sequences
from orchestrator.rules.program import Program
from tests import make
from tests.make import NOW


async def second_sequence(conn: AsyncConnection, world: make.World, **changes: Any) -> make.World:
    """Another sequence of the same sender and host."""
    program = Program.model_validate(make.PROGRAM | {"sequence": uuid7().hex} | changes)
    made = make.World(world.sender, world.host, uuid7(), uuid7(), program)
    await conn.execute(insert(sequences).values(id=made.sequence, name=program.sequence))
    await conn.execute(
        insert(sequence_versions).values(
            id=made.version,
            sequence_id=made.sequence,
            number=1,
            definition=program.model_dump(mode="json"),
            source="",
            digest="0" * 64,
        )
    )
    return made


async def email_of(conn: AsyncConnection, who: UUID) -> UUID:
    """The first email identity of a prospect."""
    found = await conn.execute(
        select(identities.c.id).where(identities.c.prospect_id == who).order_by(identities.c.id)
    )
    return found.scalars().first() or UUID(int=0)


async def enrolled_with_message(
    conn: AsyncConnection, world: make.World, who: UUID
) -> tuple[UUID, UUID]:
    """`who` enrolled, with the first message pending: (enrollment, message)."""
    enrolled = await make.enrollment(conn, world, who, state="sending", due_at=None)
    return enrolled, await make.message(conn, world, who, enrolled, await email_of(conn, who))


async def person(
    conn: AsyncConnection, keys: Keys, world: make.World, **values: Any
) -> tuple[UUID, UUID, UUID]:
    """A prospect whose first message is pending: (prospect, enrollment, message)."""
    who = await make.prospect(conn, keys, **values)
    return who, *await enrolled_with_message(conn, world, who)


async def row_of(conn: AsyncConnection, table: Any, row_id: UUID) -> RowMapping:
    """One row by id."""
    return (await conn.execute(select(table).where(table.c.id == row_id))).mappings().one()


async def all_of(conn: AsyncConnection, table: Any) -> Sequence[RowMapping]:
    """Every row."""
    return (await conn.execute(select(table))).mappings().all()


async def say(conn: AsyncConnection, keys: Keys, who: UUID, meaning: Any, **values: Any) -> UUID:
    """A human reply with this meaning, unless `values` say otherwise."""
    given: dict[str, Any] = {
        "prospect_id": who,
        "kind": "reply",
        "grade": "human",
        "meaning": meaning,
        "happened_at": NOW,
        "now": NOW,
    }
    return await engage(conn, keys, **given | values)
