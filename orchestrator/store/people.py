"""Prospects with their company, identities and newest facts: read whole, never one by one."""

from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import RowMapping, exists, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.models.people import companies, facts, identities, prospects, suppressions
from orchestrator.rules.context import CompanyFacts, Fact, IdentityFacts, PersonFacts


async def people_for_context(
    conn: AsyncConnection, prospect_ids: Sequence[UUID]
) -> dict[UUID, PersonFacts]:
    """The prospects with company, identities and newest facts, in three queries whatever their
    number. Ids that are no prospects are absent."""
    ids = list(prospect_ids)
    if not ids:
        return {}
    identities_of = await _identities(conn, ids)
    facts_of = await _newest_facts(conn, ids)
    rows = await conn.execute(
        select(
            prospects,
            companies.c.name.label("company_name"),
            companies.c.domain.label("company_domain"),
            companies.c.country.label("company_country"),
        )
        .outerjoin(companies, companies.c.id == prospects.c.company_id)
        .where(prospects.c.id.in_(ids))
    )
    return {
        row["id"]: _person(row, tuple(identities_of[row["id"]]), facts_of[row["id"]])
        for row in rows.mappings()
    }


def _person(
    row: RowMapping, addresses: tuple[IdentityFacts, ...], known: dict[str, Fact]
) -> PersonFacts:
    company = None
    if row["company_id"] is not None:
        company = CompanyFacts(
            row["company_id"], row["company_name"], row["company_domain"], row["company_country"]
        )
    return PersonFacts(
        id=row["id"],
        first_name=row["first_name"],
        last_name=row["last_name"],
        title=row["title"],
        language=row["language"],
        country=row["country"],
        zone=row["zone"],
        phone=row["phone"],
        preferred_channel=row["preferred_channel"],
        not_before=row["not_before"],
        opted_out_at=row["opted_out_at"],
        paused_at=row["paused_at"],
        attributes=row["attributes"],
        company=company,
        identities=addresses,
        facts=known,
    )


async def _identities(
    conn: AsyncConnection, ids: Sequence[UUID]
) -> defaultdict[UUID, list[IdentityFacts]]:
    suppressed = exists().where(suppressions.c.address_hash == identities.c.address_hash)
    rows = await conn.execute(
        select(
            identities.c.prospect_id,
            identities.c.id,
            identities.c.channel,
            identities.c.address,
            identities.c.state,
            suppressed.label("suppressed"),
        )
        .where(identities.c.prospect_id.in_(ids))
        .order_by(identities.c.created_at, identities.c.id)
    )
    found: defaultdict[UUID, list[IdentityFacts]] = defaultdict(list)
    for prospect_id, *values in rows:
        found[prospect_id].append(IdentityFacts(*values))
    return found


async def _newest_facts(
    conn: AsyncConnection, ids: Sequence[UUID]
) -> defaultdict[UUID, dict[str, Fact]]:
    age = (
        func.row_number()
        .over(
            partition_by=(facts.c.prospect_id, facts.c.name),
            order_by=(
                facts.c.found_on.desc().nulls_last(),
                facts.c.recorded_at.desc(),
                facts.c.id.desc(),
            ),
        )
        .label("age")
    )
    ranked = (
        select(
            facts.c.prospect_id, facts.c.name, facts.c.value, facts.c.source, facts.c.found_on, age
        )
        .where(facts.c.prospect_id.in_(ids))
        .subquery()
    )
    rows = await conn.execute(select(ranked).where(ranked.c.age == 1))
    found: defaultdict[UUID, dict[str, Fact]] = defaultdict(dict)
    for prospect_id, name, value, source, found_on, _ in rows:
        found[prospect_id][name] = Fact(name, value, source, found_on)
    return found
