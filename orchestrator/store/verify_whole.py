"""The checks of `avtale verify` on the database as a whole."""

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

_GUARDS = text("""
select conname from pg_constraint
where connamespace = to_regnamespace('public') and convalidated
union select t.tgname from pg_trigger t join pg_class c on c.oid = t.tgrelid
where c.relnamespace = to_regnamespace('public') and not t.tgisinternal
  and t.tgenabled in ('O', 'A')
union select c.relname from pg_index i join pg_class c on c.oid = i.indexrelid
where c.relnamespace = to_regnamespace('public') and i.indisvalid and i.indisunique
""")


async def guards(conn: AsyncConnection) -> set[str]:
    """Constraints, triggers and unique indexes that are there, checked and on."""
    return set((await conn.execute(_GUARDS)).scalars())


_NUMBERS = text("""
select 'history' as name, (select max(id) from history) as highest,
  (select last_value from pg_sequences where sequencename = 'history_id_seq') as given
union all select 'attempts', (select max(id) from attempts),
  (select last_value from pg_sequences where sequencename = 'attempts_id_seq')
union all select 'hosts', (select max(number) from hosts),
  (select last_value from pg_sequences where sequencename = 'hosts_number_seq')
""")


async def numbering(conn: AsyncConnection) -> list[RowMapping]:
    """Tables whose next number is taken already: name, highest, given."""
    rows = (await conn.execute(_NUMBERS)).mappings().all()
    return [row for row in rows if row["highest"] and row["highest"] > (row["given"] or 0)]
