"""Add a fact of research about a prospect; a message that waited for it goes on (L6)."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.errors import BadInput, NotFound
from orchestrator.flows.close_task import close_task
from orchestrator.ids import uuid7
from orchestrator.keys import Keys
from orchestrator.rules.import_columns import BadHeader, fact_name
from orchestrator.store import history, people_changes, people_import, standing


async def add_fact(
    conn: AsyncConnection,
    keys: Keys,
    *,
    prospect_id: UUID,
    name: str,
    value: str,
    source: str | None,
    found_on: date | None,
    now: datetime,
) -> bool:
    """Append the fact; False when the very same one is there already. Raises NotFound, BadInput.

    Tasks that named nothing but facts which are known now are closed; their step is tried again.
    """
    try:
        known_as = fact_name(name)
    except BadHeader as error:
        raise BadInput(str(error)) from None
    if not value.strip():
        raise BadInput("value: a fact without a value says nothing")
    if prospect_id not in await standing.lock_prospects(conn, [prospect_id]):
        raise NotFound("There is no such prospect.")
    row = (uuid7(), prospect_id, known_as, value.strip(), source, found_on, now)
    if not await people_import.append_facts(conn, [row]):
        return False
    await history.append(conn, "fact.added", at=now, prospect_id=prospect_id, fact=known_as)
    known = {f"fact.{fact}" for fact in await people_changes.fact_names(conn, prospect_id)}
    for task in await people_changes.open_missing(conn, prospect_id):
        if set(task["detail"].get("missing", ["unknown"])) <= known:
            await close_task(conn, keys, task_id=task["id"], outcome="done", now=now)
    return True
