"""Rows for tests: the smallest world in which something can happen."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.flows.publish_sequence import digest
from orchestrator.ids import uuid7
from orchestrator.keys import Keys
from orchestrator.models.calls import hosts
from orchestrator.models.messages import lanes, messages, senders
from orchestrator.models.people import companies, identities, prospects
from orchestrator.models.sequences import enrollments, sequence_versions, sequences
from orchestrator.rules.program import Program

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)  # a Tuesday, 10:00 in Oslo

PROGRAM: dict[str, Any] = {
    "sequence": "test",
    "language": "en",
    "window": {"days": "mon-sun", "hours": "00:00-24:00"},
    "first": "hello",
    "steps": [
        {
            "kind": "send",
            "id": "hello",
            "next": "wait-1",
            "channels": ["email"],
            "wordings": {"en": {"subject": "Hello {{ first_name }}", "text": "A short hello."}},
        },
        {
            "kind": "wait",
            "id": "wait-1",
            "next": "more",
            "duration": {"amount": 3, "unit": "days"},
        },
        {
            "kind": "send",
            "id": "more",
            "next": "listen",
            "channels": ["email"],
            "thread": "hello",
            "wordings": {"en": {"text": "One more thought."}},
        },
        {
            "kind": "until",
            "id": "listen",
            "within": {"amount": 10, "unit": "days"},
            "then": "offer",
            "otherwise": "end",
        },
        {
            "kind": "call",
            "id": "offer",
            "host": "sales",
            "minutes": 20,
            "wordings": {"en": {"text": "Pick a time: {{ page_url }}"}},
        },
    ],
}


@dataclass
class World:
    """Ids of what `world()` made."""

    sender: UUID
    host: UUID
    sequence: UUID
    version: UUID
    program: Program


async def world(
    conn: AsyncConnection, *, program: dict[str, Any] | None = None, **sender: Any
) -> World:
    """A sender without caps that bite, a host, and a published sequence."""
    parsed = Program.model_validate(program or PROGRAM)
    made = World(uuid7(), uuid7(), uuid7(), uuid7(), parsed)
    settings: dict[str, Any] = {
        "id": made.sender,
        "name": "kari",
        "channel": "email",
        "address": "kari@sender.example",
        "display_name": "Kari Nordmann",
        "settings": {"host": "127.0.0.1", "port": 25, "security": "plain_without_encryption"},
        "daily_cap": 100_000,
        "gap_seconds": 0,
        "gap_jitter_seconds": 0,
        "hours": {"days": "mon-sun", "hours": "00:00-24:00"},
    } | sender
    await conn.execute(insert(senders).values(**settings))
    await conn.execute(insert(lanes).values(sender_id=made.sender))
    await conn.execute(
        insert(hosts).values(
            id=made.host,
            name="sales",
            display_name="Kari Nordmann",
            email="kari@sender.example",
            zone="Europe/Oslo",
            weekly={
                day: ["09:00-11:30", "12:30-16:00"] for day in ("mon", "tue", "wed", "thu", "fri")
            },
        )
    )
    await conn.execute(insert(sequences).values(id=made.sequence, name=parsed.sequence))
    await conn.execute(
        insert(sequence_versions).values(
            id=made.version,
            sequence_id=made.sequence,
            number=1,
            definition=parsed.model_dump(mode="json"),
            source="",
            digest=digest(parsed),
        )
    )
    return made


async def prospect(
    conn: AsyncConnection, keys: Keys, *, address: str | None = None, **values: Any
) -> UUID:
    """A prospect in Oslo with one usable email identity."""
    made = uuid7()
    company = values.pop("company_id", None)
    if company is None:
        company = uuid7()
        await conn.execute(insert(companies).values(id=company, name="Acme AS", key=str(company)))
    await conn.execute(
        insert(prospects).values(
            **{
                "id": made,
                "company_id": company,
                "first_name": "Ola",
                "last_name": "Hansen",
                "language": "en",
                "country": "NO",
                "zone": "Europe/Oslo",
            }
            | values
        )
    )
    await identity(conn, keys, made, address or f"{made.hex}@prospect.example")
    return made


async def identity(
    conn: AsyncConnection, keys: Keys, owner: UUID, address: str, channel: str = "email"
) -> UUID:
    """One more address of `owner`."""
    made = uuid7()
    await conn.execute(
        insert(identities).values(
            id=made,
            prospect_id=owner,
            channel=channel,
            address=address,
            address_hash=keys.address_hash(channel, address),
        )
    )
    return made


async def enrollment(
    conn: AsyncConnection, made: World, owner: UUID, *, now: datetime = NOW, **values: Any
) -> UUID:
    """`owner` enrolled in the world's sequence, due now at the first step."""
    enrolled = uuid7()
    await conn.execute(
        insert(enrollments).values(
            **{
                "id": enrolled,
                "prospect_id": owner,
                "sequence_id": made.sequence,
                "version_id": made.version,
                "sender_id": made.sender,
                "step": made.program.first,
                "due_at": now,
                "entered_step_at": now,
            }
            | values
        )
    )
    return enrolled


async def message(
    conn: AsyncConnection,
    made: World,
    owner: UUID,
    enrolled: UUID,
    identity_id: UUID,
    *,
    now: datetime = NOW,
    **values: Any,
) -> UUID:
    """A pending message of the first step (the enrollment is put to `sending` by the planner)."""
    created = uuid7()
    await conn.execute(
        insert(messages).values(
            **{
                "id": created,
                "enrollment_id": enrolled,
                "prospect_id": owner,
                "step": made.program.first,
                "channel": "email",
                "sender_id": made.sender,
                "identity_id": identity_id,
                "due_at": now,
                "rfc_message_id": f"<{created.hex}@sender.example>",
            }
            | values
        )
    )
    return created
