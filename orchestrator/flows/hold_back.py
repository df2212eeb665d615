"""Hold back: what cannot be written goes back, and a person gets the task (L6)."""

from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from orchestrator.db import transaction
from orchestrator.flows.claim import Claimed
from orchestrator.rules.outgoing import Missing, Unsendable
from orchestrator.store import leases, standing, tasks


async def hold_back(engine: AsyncEngine, claimed: Claimed, why: Missing | Unsendable) -> None:
    """No homework, no message: the lease goes back until tomorrow or until somebody did it."""
    row, now = claimed.row, claimed.now()
    if isinstance(why, Missing):
        kind, title = "missing_fact", f"Missing: {', '.join(why.names)}"
        detail: dict[str, object] = {"missing": list(why.names)}
    else:
        kind, title, detail = "undeliverable", why.reason[:200], {}
    async with transaction(engine) as conn:
        await standing.lock_prospects(conn, [row.prospect_id])
        held = await leases.release(
            conn, row.id, claimed.fence, due=now + timedelta(days=1), reason=kind
        )
        if not held:  # stopped or overtaken meanwhile: nobody has to look
            return
        await tasks.open_task(
            conn,
            kind=kind,
            title=title,
            prospect_id=row.prospect_id,
            enrollment_id=row.enrollment_id,
            message_id=row.id,
            step=row.step,
            detail=detail,
            now=now,
        )
