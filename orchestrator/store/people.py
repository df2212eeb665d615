"""Prospects with their company, identities and newest facts: read whole, never one by one."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import exists, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.models.people import facts, identities, prospects
from orchestrator.rules import addresses
from orchestrator.rules.context import CompanyFacts, Fact, IdentityFacts, PersonFacts
from orchestrator.rules.where import Node
from orchestrator.store.direct import Statement
from orchestrator.store.people_where import clause

# Straight from the driver: enrolling and planning read a hundred thousand people in a go, and an
# `in` with a parameter for each id alone took 40 us of Python a person. An empty `attributes` comes
# as null, so that no JSON is read for most.
_PEOPLE = Statement("""
select p.id, p.first_name, p.last_name, p.title, p.language, p.country, p.zone, p.phone,
  p.preferred_channel, p.not_before, p.opted_out_at, p.paused_at,
  nullif(p.attributes, '{}') as attributes, p.company_id, c.name as company_name,
  c.domain as company_domain, c.country as company_country
from prospects p left join companies c on c.id = p.company_id
where p.id = any(cast(:ids as uuid[]))
""")
_IDENTITIES = Statement("""
select i.prospect_id, i.id, i.channel, i.address, i.state,
  exists (select 1 from suppressions x where x.address_hash = i.address_hash) as suppressed
from identities i where i.prospect_id = any(cast(:ids as uuid[]))
order by i.created_at, i.id
""")
_FACTS = Statement("""
select distinct on (prospect_id, name) prospect_id, name, value, source, found_on
from facts where prospect_id = any(cast(:ids as uuid[]))
order by prospect_id, name, found_on desc nulls last, recorded_at desc, id desc
""")


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
    return {
        row["id"]: _person(row, tuple(identities_of[row["id"]]), facts_of[row["id"]])
        for row in await _PEOPLE.fetch(conn, {"ids": ids})
    }


def _person(
    row: Mapping[Any, Any], identities_of: tuple[IdentityFacts, ...], known: dict[str, Fact]
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
        attributes=row["attributes"] or {},
        company=company,
        identities=identities_of,
        facts=known,
    )


async def _identities(
    conn: AsyncConnection, ids: Sequence[UUID]
) -> defaultdict[UUID, list[IdentityFacts]]:
    found: defaultdict[UUID, list[IdentityFacts]] = defaultdict(list)
    for row in await _IDENTITIES.fetch(conn, {"ids": ids}):
        prospect_id, *values = row.values()
        found[prospect_id].append(IdentityFacts(*values))
    return found


async def _newest_facts(
    conn: AsyncConnection, ids: Sequence[UUID]
) -> defaultdict[UUID, dict[str, Fact]]:
    found: defaultdict[UUID, dict[str, Fact]] = defaultdict(dict)
    for row in await _FACTS.fetch(conn, {"ids": ids}):
        prospect_id, name, *values = row.values()
        found[prospect_id][name] = Fact(name, *values)
    return found


async def list_people(
    conn: AsyncConnection, where: Node | None, *, after: UUID | None = None, limit: int = 50
) -> list[UUID]:
    """Ids of the prospects that `where` means (None: all), in the order of their ids."""
    query = select(prospects.c.id).where(clause(where)).order_by(prospects.c.id).limit(limit)
    if after is not None:
        query = query.where(prospects.c.id > after)
    return list((await conn.execute(query)).scalars())


async def count_people(conn: AsyncConnection, where: Node | None) -> int:
    """How many prospects `where` means."""
    counted = select(func.count()).select_from(prospects).where(clause(where))
    return int((await conn.execute(counted)).scalar_one())


async def ids_by_address(
    conn: AsyncConnection, wanted: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], UUID]:
    """The prospects who have these (channel, canonical address); unknown ones are absent."""
    rows = await conn.execute(
        select(identities.c.channel, identities.c.address, identities.c.prospect_id).where(
            tuple_(identities.c.channel, identities.c.address).in_(list(wanted))
        )
    )
    return {(channel, address): prospect_id for channel, address, prospect_id in rows}


async def find_person(conn: AsyncConnection, word: str) -> UUID | None:
    """The prospect with this id, or with this address on any channel; None when there is none."""
    try:
        known = prospects.c.id == UUID(word)
    except ValueError:
        try:
            canonical = addresses.email(word)
        except ValueError:
            canonical = word.strip()
        known = exists().where(
            identities.c.prospect_id == prospects.c.id, identities.c.address == canonical
        )
    found = select(prospects.c.id).where(known).order_by(prospects.c.id).limit(1)
    return (await conn.execute(found)).scalar_one_or_none()


async def every_fact(conn: AsyncConnection, prospect_id: UUID) -> list[dict[str, Any]]:
    """All facts of a prospect by name, the newest first: name, value, source, found_on."""
    rows = await conn.execute(
        select(facts.c.name, facts.c.value, facts.c.source, facts.c.found_on, facts.c.recorded_at)
        .where(facts.c.prospect_id == prospect_id)
        .order_by(
            facts.c.name,
            facts.c.found_on.desc().nulls_last(),
            facts.c.recorded_at.desc(),
            facts.c.id.desc(),
        )
    )
    return [dict(row) for row in rows.mappings()]
