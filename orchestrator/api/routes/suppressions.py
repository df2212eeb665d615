"""Suppressions: addresses that nothing automated is sent to. They are added and never taken back
by the API; the address itself is kept as a keyed hash only."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.api import idempotency
from orchestrator.api.paging import Page, Paging
from orchestrator.api.parts import Avtale, Caller, reach
from orchestrator.api.reading import read_page
from orchestrator.api.shapes import In, Name, Out
from orchestrator.flows.suppress import suppress
from orchestrator.models.people import suppressions
from orchestrator.store import listing

router = APIRouter(prefix="/api/suppressions", tags=["suppressions"])


class Suppression(Out):
    """One suppression. `person` reaches every address of whoever holds the one that was named."""

    id: UUID
    scope: Literal["person", "address"]
    channel: str
    prospect_id: UUID | None
    reason: str
    created_at: datetime


class NewSuppression(In):
    """An address that nothing is sent to any more."""

    address: Name
    channel: Name = "email"
    scope: Literal["person", "address"] = "person"
    reason: Literal["manual", "imported", "opt_out", "complaint"] = "manual"


class Suppressed(Out):
    """What was done."""

    created: bool = Field(description="false: it was suppressed before")


@router.get("", dependencies=[reach("suppressions:read")], summary="List suppressions")
async def list_suppressions(
    app: Avtale, wanted: Paging, prospect_id: UUID | None = None
) -> Page[Suppression]:
    """The newest first."""
    conditions = [suppressions.c.prospect_id == prospect_id] if prospect_id else []
    found = await read_page(app, listing.SUPPRESSIONS, suppressions.c.id, wanted, *conditions)
    return Page[Suppression].model_validate(found)


@router.post("", status_code=201, response_model=Suppressed, summary="Suppress an address")
async def add_suppression(
    app: Avtale,
    request: Request,
    body: NewSuppression,
    caller: Annotated[Caller, reach("suppressions:write")],
    key: idempotency.Key = None,
) -> Response:
    """Once this is answered, nothing automated leaves to it. Running sequences of a person stop."""

    async def work(conn: AsyncConnection, now: datetime) -> Suppressed:
        created = await suppress(
            conn,
            app.keys,
            app.channels,
            channel=body.channel,
            address=body.address,
            scope=body.scope,
            reason=body.reason,
            now=now,
        )
        return Suppressed(created=created)

    return await idempotency.create(request, caller, key, work)
