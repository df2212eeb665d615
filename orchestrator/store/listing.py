"""What the JSON API lists: one select for each resource, and one way to page through all of them.

The selects name their columns, so that no secret and no hash leaves by a column that was added.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.models.calls import bookings, hosts
from orchestrator.models.engagement import engagements, provider_events, unlocks
from orchestrator.models.messages import frozen, lanes, messages, senders
from orchestrator.models.outbound import deliveries, subscriptions
from orchestrator.models.people import companies, facts, identities, prospects, suppressions
from orchestrator.models.sequences import enrollments, sequence_versions, sequences
from orchestrator.models.work import tasks

PROSPECTS = select(
    prospects,
    companies.c.name.label("company_name"),
    companies.c.domain.label("company_domain"),
).outerjoin(companies, companies.c.id == prospects.c.company_id)

SEQUENCES = select(
    sequences,
    select(func.max(sequence_versions.c.number))
    .where(sequence_versions.c.sequence_id == sequences.c.id)
    .scalar_subquery()
    .label("newest_version"),
)

VERSIONS = select(
    sequence_versions.c.id,
    sequence_versions.c.sequence_id,
    sequence_versions.c.number,
    sequence_versions.c.digest,
    sequence_versions.c.published_at,
)

ENROLLMENTS = (
    select(
        enrollments,
        sequences.c.name.label("sequence"),
        sequence_versions.c.number.label("version"),
    )
    .join(sequences, sequences.c.id == enrollments.c.sequence_id)
    .join(sequence_versions, sequence_versions.c.id == enrollments.c.version_id)
)

MESSAGES = select(
    *(column for column in messages.c if column.name not in ("fence", "lease_owner", "lease_until"))
)

ENGAGEMENTS = select(engagements)
UNLOCKS = select(unlocks)
HOSTS = select(hosts)
TASKS = select(tasks)

# For people: with the name of whom it is about, and where they work.
TASKS_ABOUT = (
    select(
        tasks,
        func.btrim(func.concat_ws(" ", prospects.c.first_name, prospects.c.last_name)).label("who"),
        companies.c.name.label("company"),
    )
    .outerjoin(prospects, prospects.c.id == tasks.c.prospect_id)
    .outerjoin(companies, companies.c.id == prospects.c.company_id)
)

BOOKINGS = select(
    bookings.c.id,
    bookings.c.unlock_id,
    bookings.c.prospect_id,
    bookings.c.host_id,
    func.lower(bookings.c.during).label("starts_at"),
    func.upper(bookings.c.during).label("ends_at"),
    bookings.c.state,
    bookings.c.uid,
    bookings.c.revision,
    bookings.c.note,
    bookings.c.created_at,
    bookings.c.updated_at,
)

SENDERS = select(
    *(column for column in senders.c if column.name != "secrets"),
    senders.c.secrets.is_not(None).label("has_secrets"),
    lanes.c.free_at,
    lanes.c.parked_until,
    lanes.c.park_reason,
    lanes.c.day,
    lanes.c.used,
).outerjoin(lanes, lanes.c.sender_id == senders.c.id)

SUPPRESSIONS = select(*(column for column in suppressions.c if column.name != "address_hash"))

SUBSCRIPTIONS = select(*(column for column in subscriptions.c if column.name != "secrets"))

DELIVERIES = select(*(column for column in deliveries.c if column.name != "lease_until"))

EVENTS = select(
    *(column for column in provider_events.c if column.name != "raw"),
    func.octet_length(provider_events.c.raw).label("size"),
)


async def page(
    conn: AsyncConnection,
    query: Select[Any],
    key: ColumnElement[UUID],
    *conditions: ColumnElement[bool],
    after: UUID | None,
    limit: int,
) -> list[dict[str, Any]]:
    """The newest `limit` + 1 rows that are older than `after`: the last one tells of more."""
    if after is not None:
        query = query.where(key < after)
    rows = await conn.execute(query.where(*conditions).order_by(key.desc()).limit(limit + 1))
    return [dict(row) for row in rows.mappings()]


async def one(
    conn: AsyncConnection, query: Select[Any], condition: ColumnElement[bool]
) -> dict[str, Any] | None:
    """The only row that fits, or None."""
    found = (await conn.execute(query.where(condition))).mappings().first()
    return dict(found) if found else None


async def identities_by_prospect(
    conn: AsyncConnection, prospect_ids: Sequence[UUID]
) -> dict[UUID, list[dict[str, Any]]]:
    """The identities of each of these prospects, oldest first."""
    rows = await conn.execute(
        select(
            identities.c.prospect_id,
            identities.c.id,
            identities.c.channel,
            identities.c.address,
            identities.c.state,
        )
        .where(identities.c.prospect_id.in_(list(prospect_ids)))
        .order_by(identities.c.id)
    )
    found: defaultdict[UUID, list[dict[str, Any]]] = defaultdict(list)
    for row in rows.mappings():
        found[row["prospect_id"]].append(dict(row))
    return found


async def facts_of(conn: AsyncConnection, prospect_id: UUID) -> list[dict[str, Any]]:
    """Every fact recorded of a prospect, newest first: the first one of a name is what counts."""
    rows = await conn.execute(
        select(facts)
        .where(facts.c.prospect_id == prospect_id)
        .order_by(
            facts.c.found_on.desc().nulls_last(), facts.c.recorded_at.desc(), facts.c.id.desc()
        )
        .limit(1000)
    )
    return [dict(row) for row in rows.mappings()]


async def frozen_of(conn: AsyncConnection, message_id: UUID) -> dict[str, Any] | None:
    """What the prospect reads of a message, once its first attempt froze it."""
    query = select(frozen.c.recipient, frozen.c.subject, frozen.c.text, frozen.c.frozen_at)
    return await one(conn, query, frozen.c.message_id == message_id)
