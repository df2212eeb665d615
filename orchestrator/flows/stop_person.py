"""Stop everything that runs for a person."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.errors import NotFound
from orchestrator.flows import ending
from orchestrator.keys import Keys
from orchestrator.rules import gate
from orchestrator.store import history, standing, suppressions, tasks

OPT_OUTS = frozenset({"opt_out", "complaint"})


async def stop_person(
    conn: AsyncConnection,
    *,
    prospect_id: UUID,
    reason: str,
    now: datetime,
    whole_company: bool = False,
    keys: Keys | None = None,
) -> None:
    """End every running sequence of a person. Once this is committed nothing automated leaves (L4).

    `reason` `opt_out` or `complaint` also opts the person out of everything, for good.
    `whole_company` stops their colleagues' sequences too, without opting anybody else out. `keys`
    is not needed: identities carry their suppression key. Raises NotFound.
    """
    others = await standing.colleagues(conn, prospect_id) if whole_company else []
    known = await standing.lock_prospects(conn, [prospect_id, *others])
    if prospect_id not in known:
        raise NotFound("There is no such prospect.")
    enrolled = await standing.lock_enrollments(conn, known)
    if reason in OPT_OUTS:
        await _opt_out(conn, known[prospect_id], reason, now)
    own = [row for row in enrolled if row["prospect_id"] == prospect_id]
    if reason in OPT_OUTS:
        await _restate(conn, prospect_id, reason, now)
    await ending.end(conn, own, reason=reason, now=now)
    if reason in OPT_OUTS:
        await _cancel_all(conn, prospect_id, reason, now)
    rest = [row for row in enrolled if row["prospect_id"] != prospect_id]
    await ending.end(conn, rest, reason=gate.COMPANY + reason, now=now)


async def _opt_out(conn: AsyncConnection, person: RowMapping, reason: str, now: datetime) -> None:
    await standing.set_prospect(conn, person["id"], now=now, opted_out_at=now)
    new = await suppressions.add_person(conn, person["id"], reason=reason, now=now)
    if person["opted_out_at"] is None or new:
        await history.append(
            conn,
            "prospect.opted_out",
            at=now,
            prospect_id=person["id"],
            reason=reason,
            addresses=new,
        )


async def _restate(conn: AsyncConnection, prospect_id: UUID, reason: str, now: datetime) -> None:
    """What stopped before for a lesser reason: events come in any order, and say the same after."""
    lesser = {gate.UNDELIVERABLE, gate.DECLINED} | ({"opt_out"} if reason == "complaint" else set())
    for enrollment in await standing.restate_reason(
        conn, prospect_id, reason=reason, instead_of=lesser
    ):
        await history.append(
            conn,
            "enrollment.stopped",
            at=now,
            prospect_id=prospect_id,
            enrollment_id=enrollment,
            reason=reason,
        )


async def _cancel_all(conn: AsyncConnection, prospect_id: UUID, reason: str, now: datetime) -> None:
    """Also what belongs to sequences that are over: a confirmation is a message too."""
    rest = await standing.cancel_messages(conn, prospect_id=prospect_id, everything=True)
    await ending.note_cancelled(conn, rest, reason=reason, now=now)
    await tasks.cancel_unclear(conn, prospect_id, now=now)
