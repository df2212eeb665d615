"""Prospects: the people, their addresses, and what sales ops decides about them."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy import ColumnElement, exists
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator import acting
from orchestrator.api import idempotency
from orchestrator.api.paging import Page, Paging, cut
from orchestrator.api.parts import Avtale, Caller, reach
from orchestrator.api.problems import responses
from orchestrator.api.routes.prospect_shapes import (
    Facts,
    NewFact,
    NewProspect,
    Prospect,
    ProspectChange,
    prospect_of,
)
from orchestrator.clock import database_now
from orchestrator.db import transaction
from orchestrator.errors import Conflict, NotFound
from orchestrator.flows.add_fact import add_fact
from orchestrator.flows.assign_people import assign_people
from orchestrator.flows.change_prospect import change_prospect
from orchestrator.flows.create_prospect import create_prospect
from orchestrator.flows.list_people import list_people
from orchestrator.models.people import identities, prospects
from orchestrator.store import listing

router = APIRouter(prefix="/api/prospects", tags=["prospects"])

_NO_SUCH = "there is no such prospect"


async def read_prospect(conn: AsyncConnection, prospect_id: UUID) -> Prospect:
    """One prospect whole. Raises NotFound."""
    row = await listing.one(conn, listing.PROSPECTS, prospects.c.id == prospect_id)
    if row is None:
        raise NotFound(_NO_SUCH)
    known = await listing.identities_by_prospect(conn, [prospect_id])
    return prospect_of(row, known.get(prospect_id, []))


@router.get("", dependencies=[reach("prospects:read", scoped=True)], summary="List prospects")
async def list_prospects(
    app: Avtale,
    wanted: Paging,
    address: Annotated[str | None, Query(max_length=320, pattern=r"^[^\x00]+$")] = None,
    company_id: UUID | None = None,
    q: Annotated[
        str | None,
        Query(
            max_length=200,
            pattern=r"^[^\x00]+$",
            description="beginnings of words: of name and title, of company, or of an address",
        ),
    ] = None,
    where: Annotated[
        str | None,
        Query(max_length=10_000, description="as for enrolling: `country = NO and not paused`"),
    ] = None,
) -> Page[Prospect]:
    """The newest first; a rep sees their own."""
    conditions: list[ColumnElement[bool]] = []
    if company_id is not None:
        conditions.append(prospects.c.company_id == company_id)
    if address is not None:
        holds = (identities.c.prospect_id == prospects.c.id) & (
            identities.c.address.in_({address, address.lower()})
        )
        conditions.append(exists().where(holds))
    async with transaction(app.engine) as conn:
        found = await list_people(
            conn,
            typed=q or "",
            where=where or "",
            conditions=conditions,
            after=wanted.after,
            limit=wanted.limit,
        )
    page, following = cut(found.rows, wanted)
    people = [prospect_of(row, found.identities.get(row["id"], [])) for row in page]
    return Page[Prospect](items=people, next=following)


@router.post(
    "",
    status_code=201,
    response_model=Prospect,
    summary="Add a prospect",
    responses=responses(409),
)
async def add_prospect(
    app: Avtale,
    request: Request,
    body: NewProspect,
    caller: Annotated[Caller, reach("prospects:write", scoped=True)],
    key: idempotency.Key = None,
) -> Response:
    """The same reading as an import: addresses, zones, languages and phone numbers are checked.

    Whom a rep adds is theirs."""

    async def work(conn: AsyncConnection, now: datetime) -> Prospect:
        owner = acting.only_own()
        try:
            made = await create_prospect(
                conn, app.keys, app.channels, values=body.columns(), now=now
            )
        except Conflict as error:
            if owner is None:
                raise
            raise Conflict(error.message) from None  # whose person it is, and which, is not told
        if owner is not None:
            await assign_people(conn, prospect_ids=[made], owner_id=owner, now=now)
        return await read_prospect(conn, made)

    return await idempotency.create(request, caller, key, work)


@router.get(
    "/{prospect_id}",
    dependencies=[reach("prospects:read")],
    summary="Read a prospect",
    responses=responses(404),
)
async def get_prospect(app: Avtale, prospect_id: UUID) -> Prospect:
    """One prospect with company and addresses."""
    async with transaction(app.engine) as conn:
        return await read_prospect(conn, prospect_id)


@router.patch(
    "/{prospect_id}",
    dependencies=[reach("prospects:write")],
    summary="Change a prospect",
    responses=responses(404),
)
async def patch_prospect(app: Avtale, prospect_id: UUID, body: ProspectChange) -> Prospect:
    """Set what is given; the rest stays."""
    values: dict[str, Any] = body.model_dump(exclude_unset=True)
    async with transaction(app.engine) as conn:
        await change_prospect(
            conn, prospect_id=prospect_id, values=values, now=await database_now(conn)
        )
        return await read_prospect(conn, prospect_id)


@router.get(
    "/{prospect_id}/facts",
    dependencies=[reach("prospects:read")],
    summary="List the facts of a prospect",
    responses=responses(404),
)
async def list_facts(app: Avtale, prospect_id: UUID) -> Facts:
    """The newest first, at most a thousand: the first one of a name is what templates use."""
    async with transaction(app.engine) as conn:
        await read_prospect(conn, prospect_id)
        return Facts.model_validate({"items": await listing.facts_of(conn, prospect_id)})


@router.post(
    "/{prospect_id}/facts",
    status_code=201,
    response_model=Facts,
    summary="Add a fact",
    responses=responses(404),
)
async def post_fact(
    app: Avtale,
    request: Request,
    prospect_id: UUID,
    body: NewFact,
    caller: Annotated[Caller, reach("prospects:write")],
    key: idempotency.Key = None,
) -> Response:
    """Answers all facts, the newest first. A message that waited for it goes on."""

    async def work(conn: AsyncConnection, now: datetime) -> Facts:
        await add_fact(
            conn,
            app.keys,
            prospect_id=prospect_id,
            name=body.name,
            value=body.value,
            source=body.source,
            found_on=body.found_on,
            now=now,
        )
        return Facts.model_validate({"items": await listing.facts_of(conn, prospect_id)})

    answer = await idempotency.create(request, caller, key, work)
    app.ring("plan")
    return answer
