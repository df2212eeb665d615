"""What sales ops decides about a person: pause, resume, stop, not before a date."""

from uuid import UUID

from fastapi import APIRouter

from orchestrator import acting
from orchestrator.api.parts import Avtale, reach
from orchestrator.api.problems import responses
from orchestrator.api.routes.prospect_shapes import Prospect, Snooze, Stop
from orchestrator.api.routes.prospects import read_prospect
from orchestrator.clock import database_now
from orchestrator.db import transaction
from orchestrator.errors import Forbidden
from orchestrator.flows.pause_person import pause_person
from orchestrator.flows.resume_person import resume_person
from orchestrator.flows.snooze_person import snooze_person
from orchestrator.flows.stop_person import stop_person

router = APIRouter(prefix="/api/prospects", tags=["prospects"])


@router.post(
    "/{prospect_id}/pause",
    dependencies=[reach("prospects:write")],
    summary="Pause a prospect",
    responses=responses(404),
)
async def pause_prospect(app: Avtale, prospect_id: UUID) -> Prospect:
    """Nothing automated leaves to this person until they are resumed."""
    async with transaction(app.engine) as conn:
        await pause_person(conn, prospect_id=prospect_id, now=await database_now(conn))
        return await read_prospect(conn, prospect_id)


@router.post(
    "/{prospect_id}/resume",
    dependencies=[reach("prospects:write")],
    summary="Resume a prospect",
    responses=responses(404, 409),
)
async def resume_prospect(app: Avtale, prospect_id: UUID) -> Prospect:
    """Their sequences go on where they were. Somebody who opted out stays opted out."""
    async with transaction(app.engine) as conn:
        await resume_person(conn, prospect_id=prospect_id, now=await database_now(conn))
        found = await read_prospect(conn, prospect_id)
    app.ring("plan")
    return found


@router.post(
    "/{prospect_id}/stop",
    dependencies=[reach("prospects:write")],
    summary="Stop a prospect's sequences",
    responses=responses(404),
)
async def stop_prospect(app: Avtale, prospect_id: UUID, body: Stop | None = None) -> Prospect:
    """End every running sequence of this person; with `opt_out`, for good and everywhere."""
    wanted = body or Stop()
    if wanted.whole_company and acting.only_own() is not None:
        raise Forbidden("a whole company may have people of others: stop your own one by one")
    async with transaction(app.engine) as conn:
        await stop_person(
            conn,
            prospect_id=prospect_id,
            reason=wanted.reason,
            now=await database_now(conn),
            whole_company=wanted.whole_company,
            keys=app.keys,
        )
        return await read_prospect(conn, prospect_id)


@router.post(
    "/{prospect_id}/snooze",
    dependencies=[reach("prospects:write")],
    summary="Send nothing before a date",
    responses=responses(404),
)
async def snooze_prospect(app: Avtale, prospect_id: UUID, body: Snooze) -> Prospect:
    """Everything that is due before `until` moves to then."""
    async with transaction(app.engine) as conn:
        await snooze_person(
            conn, prospect_id=prospect_id, until=body.until, now=await database_now(conn)
        )
        return await read_prospect(conn, prospect_id)
