"""Very many people at once, made inside PostgreSQL: rows as an import leaves them."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.db import transaction
from orchestrator.wiring import App

# Ids in the order of making, as UUIDv7 are: the table's number, then that of the row.
_ID = "cast('0190000{0}-0000-7000-8000-' || lpad(to_hex({1}), 12, '0') as uuid)"


def identifier(table: int, number: str = "n") -> str:
    """SQL for the id of row `number` of a table."""
    return _ID.format(table, number)


COMPANY, PERSON, ADDRESS, FACT = (identifier(table) for table in range(1, 5))

_PEOPLE = (
    f"""insert into companies (id, name, key, country)
      select {identifier(1)}, 'Office ' || n, 'office-' || n, 'NO'
      from generate_series(cast(:first as bigint) / 10, cast(:last as bigint) / 10) n
      on conflict do nothing""",
    f"""insert into prospects (id, company_id, first_name, last_name, title, language, country,
        zone)
      select {PERSON}, {identifier(1, "n / 10")}, 'Ola', 'Nordmann', 'Accountant', 'en', 'NO',
        'Europe/Oslo' from generate_series(cast(:first as bigint), cast(:last as bigint)) n""",
    f"""insert into identities (id, prospect_id, channel, address, address_hash)
      select {ADDRESS}, {PERSON}, 'email', 'p' || lpad(n\\:\\:text, 9, '0') || '@prospect.example',
        sha256(cast(n\\:\\:text as bytea))
      from generate_series(cast(:first as bigint), cast(:last as bigint)) n""",
)
_FACTS = f"""insert into facts (id, prospect_id, name, value, source)
  select {FACT}, {PERSON}, 'pain', 'vouchers keyed in by hand', 'their site'
  from generate_series(cast(:first as bigint), cast(:last as bigint)) n"""


async def add_people(conn: AsyncConnection, first: int, last: int, *, facts: bool) -> None:
    """People number `first` to `last` with a company for every ten and an address each; with one
    researched fact where `facts` says so."""
    for one in (*_PEOPLE, *([_FACTS] if facts else [])):
        await conn.execute(text(one), {"first": first, "last": last})


async def vacuum(app: App, *tables: str) -> None:
    """What autovacuum does sooner or later, now: dead rows gone, statistics fresh."""
    async with app.engine.connect() as conn:
        auto = await conn.execution_options(isolation_level="AUTOCOMMIT")
        await auto.execute(text(f"vacuum analyze {', '.join(tables)}"))


async def without_triggers(app: App, *statements: str) -> None:
    """Run statements of set-up with triggers and foreign keys asleep, in one transaction."""
    async with transaction(app.engine) as conn:
        await conn.execute(text("set local session_replication_role = replica"))
        for one in statements:
            await conn.execute(text(one))
