"""Writing many people at once: lookups by array, COPY for what is new, one UPDATE for the rest."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.rules.import_merge import CompanyRow
from orchestrator.rules.import_table import VALUES

_LOCK = 0x61767461_6C650001  # "avtale" 1


async def lock_imports(conn: AsyncConnection) -> None:
    """Let one batch at a time add people. Who owns an address is then settled between looking and
    writing, and two imports cannot deadlock. Held to the end of the transaction."""
    await conn.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _LOCK})


async def owners(
    conn: AsyncConnection, channel: str, addresses: Sequence[str]
) -> Sequence[Row[tuple[str, UUID, bool, bool]]]:
    """address, prospect_id, employed (has a company) and opted_out of those that are known."""
    rows = await conn.execute(
        text(
            "select a.address, i.prospect_id, p.employed, p.opted_out"
            " from unnest(cast(:addresses as text[])) as a (address)"
            # `limit` keeps the planner from anything but a look into the index for each.
            " cross join lateral (select prospect_id from identities"
            "  where channel = :channel and address = a.address limit 1) i"
            " cross join lateral (select company_id is not null as employed,"
            "  opted_out_at is not null as opted_out from prospects"
            "  where id = i.prospect_id limit 1) p"
        ),
        {"channel": channel, "addresses": addresses},
    )
    return rows.all()


async def suppressed_people(conn: AsyncConnection, hashes: Sequence[bytes]) -> set[bytes]:
    """Those of `hashes` whose holder is suppressed as a person."""
    rows = await conn.execute(
        text(
            "select address_hash from suppressions"
            " where scope = 'person' and address_hash = any(cast(:hashes as bytea[]))"
        ),
        {"hashes": hashes},
    )
    return {row.address_hash for row in rows}


async def companies_by_key(conn: AsyncConnection, keys: Iterable[str]) -> dict[str, RowMapping]:
    """The companies that have one of `keys`."""
    rows = await conn.execute(
        text(
            "select id, key, name, domain, country from companies"
            " where key = any(cast(:keys as text[]))"
        ),
        {"keys": sorted(keys)},
    )
    return {row["key"]: row for row in rows.mappings()}


async def add_companies(conn: AsyncConnection, made: Sequence[tuple[UUID, CompanyRow]]) -> None:
    """Insert companies, in the order of their keys; one that exists by now is left as it is."""
    ordered = sorted(made, key=lambda one: one[1].key)
    await conn.execute(
        text(
            "insert into companies (id, key, name, domain, country)"
            " select * from unnest(cast(:ids as uuid[]), cast(:keys as text[]),"
            " cast(:names as text[]), cast(:domains as text[]), cast(:countries as text[]))"
            " on conflict (key) do nothing"
        ),
        {
            "ids": [one for one, _ in ordered],
            "keys": [row.key for _, row in ordered],
            "names": [row.name for _, row in ordered],
            "domains": [row.domain for _, row in ordered],
            "countries": [row.country for _, row in ordered],
        },
    )


async def fill_companies(
    conn: AsyncConnection, changes: Sequence[tuple[UUID, str, str | None]]
) -> None:
    """Of (id, name, country): name a company that had only its domain for a name; add a country
    that was not known."""
    await conn.execute(
        text(
            "with s as (select * from unnest(cast(:ids as uuid[]), cast(:names as text[]),"
            "  cast(:countries as text[])) as s (id, name, country)),"
            " locked as (select c.id from companies c join s using (id) order by c.id"
            "  for no key update of c)"
            " update companies c set name = case when c.name = c.domain then s.name else c.name"
            "  end, country = coalesce(c.country, s.country)"
            " from s join locked using (id) where c.id = s.id"
        ),
        dict(
            zip(("ids", "names", "countries"), map(list, zip(*changes, strict=True)), strict=True)
        ),
    )


async def copy_rows(
    conn: AsyncConnection, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> None:
    """COPY rows into a table. Raises asyncpg's UniqueViolationError when one is there already."""
    raw = await conn.get_raw_connection()
    assert raw.driver_connection is not None
    await raw.driver_connection.copy_records_to_table(table, columns=columns, records=rows)


async def update_prospects(
    conn: AsyncConnection, changes: Mapping[str, Sequence[Any]], now: datetime
) -> list[UUID]:
    """Write what `changes` say, a list a column (id, some of VALUES, company_id, company_stated,
    attributes as JSON; None says nothing), where it differs from what is there. Returns the ids
    that changed.

    Rows are locked in the order of their ids, as everywhere, and only those that change.
    """
    casts = {"id": "uuid[]", "company_id": "uuid[]", "company_stated": "boolean[]"}
    arrays = ", ".join(f"cast(:{name} as {casts.get(name, 'text[]')})" for name in changes)
    written = {name: sql for name, sql in _WRITTEN.items() if name in changes}
    old = ", ".join(f"p.{name}" for name in written)
    new = ", ".join(written.values())
    # `new` reads p again after the lock, so that a change made meanwhile is kept.
    statement = (
        f"with s as materialized (select * from unnest({arrays}) as s ({', '.join(changes)})),"  # noqa: S608 - names of ours only
        " locked as (select p.id from prospects p join s using (id)"
        f" where ({old}) is distinct from ({new}) order by p.id for no key update of p)"
        f" update prospects p set updated_at = :now, ({', '.join(written)}) = row ({new})"
        " from s join locked using (id) where p.id = s.id returning p.id"
    )
    rows = await conn.execute(text(statement), dict(changes) | {"now": now})
    return [one.id for one in rows]


# What an import writes, and how it comes of what is there (p) and what the rows say (s).
_WRITTEN = {name: f"coalesce(s.{name}, p.{name})" for name in VALUES} | {
    "company_id": "case when s.company_stated then coalesce(s.company_id, p.company_id)"
    " else coalesce(p.company_id, s.company_id) end",
    "attributes": "p.attributes || cast(s.attributes as jsonb)",
}


def to_json(value: Any) -> str:
    """JSON for a jsonb column that is written as text."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


FactValues = tuple[UUID, UUID, str, str, str | None, date | None, datetime]
FACT_COLUMNS = ("id", "prospect_id", "name", "value", "source", "found_on", "recorded_at")


async def append_facts(conn: AsyncConnection, rows: Sequence[FactValues]) -> int:
    """Append the facts that are new, in FACT_COLUMNS; how many were."""
    kinds = ("uuid", "uuid", "text", "text", "text", "date", "timestamptz")
    arrays = ", ".join(
        f"cast(:{name} as {kind}[])" for name, kind in zip(FACT_COLUMNS, kinds, strict=True)
    )
    done = await conn.execute(
        text(
            f"insert into facts ({', '.join(FACT_COLUMNS)}) select * from unnest({arrays})"  # noqa: S608 - names of ours only
            " on conflict do nothing"
        ),
        dict(zip(FACT_COLUMNS, map(list, zip(*rows, strict=True)), strict=True)),
    )
    return done.rowcount
