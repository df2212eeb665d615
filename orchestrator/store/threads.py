"""Whose mail is this: messages by their Message-ID, by id, and by who was written to."""

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import RowMapping, func, select, union
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.models.calls import hosts
from orchestrator.models.messages import frozen, messages, senders
from orchestrator.models.people import companies, identities, prospects
from orchestrator.rules.matching import Person, Ref
from orchestrator.rules.writers import Owner

# What left, or may have left: only such a message can be answered.
_LEFT = ("sending", "sent", "in_doubt", "abandoned")
_REF = (
    messages.c.id,
    messages.c.prospect_id,
    messages.c.enrollment_id,
    messages.c.identity_id,
    messages.c.rfc_message_id,
    messages.c.kind,
)


def _ref(row: RowMapping) -> Ref:
    to_host = row["kind"] == "host_invitation"
    return Ref(row["id"], row["prospect_id"], row["enrollment_id"], row["identity_id"], to_host)


async def by_rfc_ids(conn: AsyncConnection, ids: Iterable[str]) -> dict[str, Ref]:
    """Our messages among these Message-IDs (RFC 5322, 3.6.4)."""
    rows = await conn.execute(select(*_REF).where(messages.c.rfc_message_id.in_(list(ids))))
    return {row["rfc_message_id"]: _ref(row) for row in rows.mappings()}


async def by_ids(conn: AsyncConnection, ids: Iterable[UUID]) -> dict[UUID, Ref]:
    """Our messages among these ids, which came out of address tokens."""
    rows = await conn.execute(select(*_REF).where(messages.c.id.in_(list(ids))))
    return {row["id"]: _ref(row) for row in rows.mappings()}


async def people(
    conn: AsyncConnection, addresses: Iterable[str], sender_ids: Iterable[UUID]
) -> dict[str, Person]:
    """Who has these canonical addresses, and the last message that one of these senders wrote to
    any identity of theirs, if any."""
    rows = await conn.execute(
        select(identities.c.address, identities.c.id, identities.c.prospect_id).where(
            identities.c.channel == "email", identities.c.address.in_(list(addresses))
        )
    )
    found: dict[str, Person] = {}
    for row in rows.mappings().all():
        last = await conn.execute(
            select(*_REF)
            .where(
                messages.c.prospect_id == row["prospect_id"],
                messages.c.sender_id.in_(list(sender_ids)),
                messages.c.state.in_(_LEFT),
                messages.c.kind != "host_invitation",
            )
            .order_by(messages.c.handed_at.desc().nulls_last(), messages.c.id.desc())
            .limit(1)
        )
        ref = last.mappings().one_or_none()
        found[row["address"]] = Person(row["prospect_id"], row["id"], _ref(ref) if ref else None)
    return found


async def owners(conn: AsyncConnection, prospect_ids: Iterable[UUID]) -> dict[UUID, Owner]:
    """Whose threads these are, for telling them from whoever else answers there."""
    mails = (
        select(func.array_agg(identities.c.address))
        .where(identities.c.prospect_id == prospects.c.id, identities.c.channel == "email")
        .scalar_subquery()
    )
    rows = await conn.execute(
        select(
            *prospects.c["id", "first_name", "last_name"], mails.label("mails"), companies.c.domain
        )
        .outerjoin(companies, companies.c.id == prospects.c.company_id)
        .where(prospects.c.id.in_(list(prospect_ids)))
    )
    return {
        row.id: Owner(row.first_name, row.last_name, tuple(row.mails or ()), row.domain)
        for row in rows
    }


async def sender_addresses(conn: AsyncConnection) -> dict[str, UUID]:
    """Every email sender by its folded address."""
    rows = await conn.execute(
        select(senders.c.address, senders.c.id).where(senders.c.channel == "email")
    )
    return {row.address.lower(): row.id for row in rows.all()}


async def host_addresses(conn: AsyncConnection) -> set[str]:
    """Every host by their folded address: what they write is ours, in whatever thread."""
    rows = await conn.execute(select(hosts.c.email))
    return {email.lower() for email in rows.scalars()}


async def sent_texts(conn: AsyncConnection, prospect_id: UUID, *, limit: int = 20) -> list[str]:
    """What this prospect has read of ours, newest first: they may quote it."""
    rows = await conn.execute(
        select(frozen.c.text)
        .join(messages, messages.c.id == frozen.c.message_id)
        .where(messages.c.prospect_id == prospect_id)
        .order_by(frozen.c.frozen_at.desc())
        .limit(limit)
    )
    return list(rows.scalars())


async def sent_subjects(conn: AsyncConnection, prospect_id: UUID) -> set[str]:
    """The subjects that this prospect had from us."""
    rows = await conn.execute(
        select(frozen.c.subject)
        .join(messages, messages.c.id == frozen.c.message_id)
        .where(messages.c.prospect_id == prospect_id)
        .distinct()
    )
    return set(rows.scalars())


async def zone_of(conn: AsyncConnection, prospect_id: UUID) -> str | None:
    """The prospect's zone, for what "next week" means to them."""
    row = await conn.execute(select(prospects.c.zone).where(prospects.c.id == prospect_id))
    return row.scalar_one_or_none()


async def concerned(conn: AsyncConnection, rfc_ids: Iterable[str], writer: str | None) -> set[UUID]:
    """The prospects whom a mail may be from: to whom these messages were, or whose address wrote.
    What went to a host says nothing about its prospect."""
    answered = select(messages.c.prospect_id).where(
        messages.c.rfc_message_id.in_(list(rfc_ids)), messages.c.kind != "host_invitation"
    )
    wrote = select(identities.c.prospect_id).where(
        identities.c.channel == "email", identities.c.address == writer
    )
    return set((await conn.execute(union(answered, wrote))).scalars())
