"""Add rows of people: find who they are, write what is new, leave who said no alone."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.flows.adding import Added, save_companies, settle
from orchestrator.flows.adding_rows import write
from orchestrator.keys import Keys
from orchestrator.rules.import_rows import PersonRow
from orchestrator.rules.import_table import Table
from orchestrator.store.people_import import lock_imports


async def add_people(
    conn: AsyncConnection,
    keys: Keys,
    rows: Sequence[PersonRow],
    *,
    now: datetime,
    table: Table | None = None,
    import_id: UUID | None = None,
) -> Added:
    """Write `rows`, and those of `table`; the same rows again change nothing. Values replace, empty
    cells leave.

    Rows about somebody who opted out come back in `opted_out`, untouched. Raises asyncpg's
    UniqueViolationError when an address was taken meanwhile by another door: try again.
    """
    await lock_imports(conn)
    settled = await settle(conn, keys, table or Table(), rows)
    await save_companies(conn, settled)
    added = await write(conn, settled, settled.people, now, import_id)
    added.opted_out = settled.opted_out
    return added
