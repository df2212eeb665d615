"""Hosts: whom a prospect can have a call with, and when."""

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.api import idempotency
from orchestrator.api.paging import Page, Paging
from orchestrator.api.parts import Avtale, Caller, reach
from orchestrator.api.problems import responses
from orchestrator.api.reading import read_one, read_page
from orchestrator.api.shapes import Count, In, Name, Out, Short
from orchestrator.clock import database_now
from orchestrator.db import transaction
from orchestrator.errors import NotFound
from orchestrator.flows.remove_host import remove_host
from orchestrator.flows.save_host import save_host
from orchestrator.flows.set_host_exception import set_host_exception
from orchestrator.models.calls import hosts
from orchestrator.store import hosts as store
from orchestrator.store import listing

router = APIRouter(prefix="/api/hosts", tags=["hosts"])

_Spans = Annotated[list[Short], Field(max_length=20)]


class Host(Out):
    """Somebody who takes calls. `weekly` is on the clock of `zone`."""

    id: UUID
    name: str
    display_name: str
    email: str
    zone: str
    weekly: dict[str, list[str]]
    slot_minutes: int
    buffer_before_minutes: int
    buffer_after_minutes: int
    notice_minutes: int
    horizon_days: int
    location: str
    created_at: datetime


class HostChange(In):
    """What to change; the rest stays. Calls that are booked stay too."""

    display_name: Name | None = None
    email: Name | None = None
    zone: Name | None = None
    weekly: dict[Name, _Spans] | None = Field(
        None, max_length=7, examples=[{"mon": ["09:00-11:30", "12:30-16:00"]}]
    )
    slot_minutes: Count | None = None
    buffer_before_minutes: Count | None = None
    buffer_after_minutes: Count | None = None
    notice_minutes: Count | None = None
    horizon_days: Count | None = None
    location: Annotated[str, Field(max_length=500)] | None = None


class NewHost(HostChange):
    """A new host. Office hours from Monday to Friday unless `weekly` says otherwise."""

    name: Annotated[Name, Field(max_length=80)]
    display_name: Name
    email: Name
    zone: Name


class HostException(Out):
    """Other hours on one date; none is a day off."""

    day: date
    hours: list[str]
    note: str


class HostExceptions(Out):
    """The dates that differ from the week, from today on."""

    items: list[HostException]


class NewHostException(In):
    """The hours of one date."""

    hours: _Spans = Field(description="none is a day off", examples=[["10:00-12:00"]])
    note: Short = ""


def _values(body: HostChange) -> dict[str, Any]:
    given = body.model_dump(exclude_unset=True, exclude={"name"})
    return {name: value for name, value in given.items() if value is not None}


@router.get("", dependencies=[reach("hosts:read")], summary="List hosts")
async def list_hosts(app: Avtale, wanted: Paging) -> Page[Host]:
    """The newest first."""
    return Page[Host].model_validate(await read_page(app, listing.HOSTS, hosts.c.id, wanted))


@router.post(
    "",
    status_code=201,
    response_model=Host,
    summary="Add a host",
    responses=responses(409),
)
async def add_host(
    request: Request,
    body: NewHost,
    caller: Annotated[Caller, reach("hosts:write")],
    key: idempotency.Key = None,
) -> Response:
    """Sequences name a host by its name."""

    async def work(conn: AsyncConnection, now: datetime) -> Host:
        made = await save_host(conn, name=body.name, values=_values(body), now=now, new=True)
        return Host.model_validate(await listing.one(conn, listing.HOSTS, hosts.c.id == made))

    return await idempotency.create(request, caller, key, work)


@router.get(
    "/{name}",
    dependencies=[reach("hosts:read")],
    summary="Read a host",
    responses=responses(404),
)
async def get_host(app: Avtale, name: str) -> Host:
    """One host by its name."""
    row = await read_one(app, listing.HOSTS, hosts.c.name == name, "host")
    return Host.model_validate(row)


@router.patch(
    "/{name}",
    dependencies=[reach("hosts:write")],
    summary="Change a host",
    responses=responses(404),
)
async def change_host(app: Avtale, name: str, body: HostChange) -> Host:
    """New hours are for new bookings."""
    async with transaction(app.engine) as conn:
        now = await database_now(conn)
        await save_host(conn, name=name, values=_values(body), now=now, new=False)
    return await get_host(app, name)


@router.delete(
    "/{name}",
    status_code=204,
    dependencies=[reach("hosts:write")],
    summary="Remove a host",
    responses=responses(404, 409),
)
async def delete_host(app: Avtale, name: str) -> None:
    """Only while no call with them was opened to anybody."""
    async with transaction(app.engine) as conn:
        await remove_host(conn, name=name, now=await database_now(conn))


@router.get(
    "/{name}/exceptions",
    dependencies=[reach("hosts:read")],
    summary="List a host's exceptions",
    responses=responses(404),
)
async def list_host_exceptions(app: Avtale, name: str) -> HostExceptions:
    """From today on, in order."""
    async with transaction(app.engine) as conn:
        row = await store.by_name(conn, name)
        today = (await database_now(conn)).date()
        return HostExceptions.model_validate(
            {"items": await store.exception_rows(conn, row["id"], today)}
        )


@router.put(
    "/{name}/exceptions/{day}",
    dependencies=[reach("hosts:write")],
    summary="Set a host's hours on one date",
    responses=responses(404),
)
async def put_host_exception(
    app: Avtale, name: str, day: date, body: NewHostException
) -> HostException:
    """Calls that are booked stay."""
    async with transaction(app.engine) as conn:
        now = await database_now(conn)
        await set_host_exception(
            conn, name=name, day=day, hours=body.hours, note=body.note, now=now
        )
    return HostException(day=day, hours=body.hours, note=body.note)


@router.delete(
    "/{name}/exceptions/{day}",
    status_code=204,
    dependencies=[reach("hosts:write")],
    summary="Give a date its ordinary hours again",
    responses=responses(404),
)
async def delete_host_exception(app: Avtale, name: str, day: date) -> None:
    """Not found when it has them."""
    async with transaction(app.engine) as conn:
        now = await database_now(conn)
        if not await set_host_exception(conn, name=name, day=day, hours=None, now=now):
            raise NotFound("this date has the ordinary hours")
