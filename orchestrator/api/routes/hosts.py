"""Hosts: whom a prospect can have a call with, and when."""

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter

from orchestrator.api.paging import Page, Paging
from orchestrator.api.parts import Avtale, reach
from orchestrator.api.problems import responses
from orchestrator.api.reading import read_one, read_page
from orchestrator.api.shapes import Out
from orchestrator.models.calls import hosts
from orchestrator.store import listing

router = APIRouter(prefix="/api/hosts", tags=["hosts"])


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


@router.get("", dependencies=[reach("hosts:read")], summary="List hosts")
async def list_hosts(app: Avtale, wanted: Paging) -> Page[Host]:
    """The newest first."""
    return Page[Host].model_validate(await read_page(app, listing.HOSTS, hosts.c.id, wanted))


@router.get(
    "/{name}",
    dependencies=[reach("hosts:read")],
    summary="Read a host",
    responses=responses(404),
)
async def get_host(app: Avtale, name: str) -> Host:
    """One host by name."""
    row = await read_one(app, listing.HOSTS, hosts.c.name == name, "host")
    return Host.model_validate(row)
