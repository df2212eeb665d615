"""Whose people are whose."""

from uuid import UUID

from fastapi import APIRouter
from pydantic import Field

from orchestrator.api.parts import Avtale, reach
from orchestrator.api.problems import responses
from orchestrator.api.shapes import In, Out
from orchestrator.clock import database_now
from orchestrator.db import transaction
from orchestrator.flows.assign_people import assign_people

router = APIRouter(prefix="/api/prospects", tags=["prospects"])


class Assignment(In):
    """Whose these people are from now on."""

    prospect_ids: list[UUID] = Field(min_length=1, max_length=1000)
    owner_id: UUID | None = Field(description="a user; null: nobody's")


class Assigned(Out):
    """How many have another owner now."""

    changed: int


@router.post(
    "/assign",
    dependencies=[reach("prospects:write")],
    summary="Assign prospects to a user",
    responses=responses(404),
)
async def assign_prospects(app: Avtale, body: Assignment) -> Assigned:
    """All or none. A rep sees their own people, and everything that is about them."""
    async with transaction(app.engine) as conn:
        changed = await assign_people(
            conn,
            prospect_ids=body.prospect_ids,
            owner_id=body.owner_id,
            now=await database_now(conn),
        )
    return Assigned(changed=changed)
