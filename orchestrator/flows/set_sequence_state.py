"""Pause, resume or archive a sequence."""

from datetime import datetime
from typing import Literal

from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.errors import NotFound
from orchestrator.store import history, leases, sequences

State = Literal["active", "paused", "archived"]
_KINDS: dict[State, str] = {
    "active": "sequence.resumed",
    "paused": "sequence.paused",
    "archived": "sequence.archived",
}


async def set_sequence_state(
    conn: AsyncConnection, *, name: str, state: State, now: datetime
) -> bool:
    """Put the sequence `name` into `state`; False when it is there already.

    The row is locked FOR UPDATE: who plans or sends takes it FOR SHARE, so that nothing more leaves
    once this has committed (L4). A paused or archived sequence keeps its people where they are;
    `active` lets them go on. Raises NotFound.
    """
    sequence = await sequences.lock(conn, name)
    if sequence is None:
        raise NotFound(f"there is no sequence {name}: `avtale sequence list` has their names")
    if sequence.state == state:
        return False
    await sequences.set_state(conn, sequence.id, state)
    if state == "active":
        await leases.wake(conn, now=now, sequence=sequence.id)
    await history.append(
        conn, _KINDS[state], at=now, sequence_id=str(sequence.id), before=sequence.state
    )
    return True
