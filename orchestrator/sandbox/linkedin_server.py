"""The one network of a sandbox: its state, its webhooks, its faults; and a door to its controls."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from orchestrator.clock import database_now
from orchestrator.db import transaction
from orchestrator.sandbox import linkedin_events as events
from orchestrator.sandbox.linkedin_world import Network
from orchestrator.sandbox.provider_faults import Fault, Faults, Limits
from orchestrator.sandbox.provider_hooks import Hooks, Manner
from orchestrator.wiring import App

router = APIRouter(prefix="/sandbox/network/control", include_in_schema=False)


@dataclass
class Operator:
    """Everything of one process. The state is in a file and outlives it."""

    app: App
    world: Network
    hooks: Hooks
    faults: Faults = field(default_factory=Faults)
    limits: Limits = field(default_factory=Limits)

    async def now(self) -> datetime:
        """The sandbox's time."""
        async with transaction(self.app.engine) as conn:
            return await database_now(conn)


def operator_of(request: Request) -> Operator:
    """The network of this application, made when it is first asked for."""
    state = request.app.state
    if not hasattr(state, "sandbox_network"):
        app: App = state.avtale
        world = Network(app.settings.data_dir / "sandbox" / "network.json")
        state.sandbox_network = Operator(app, world, Hooks(app.settings))
    found: Operator = state.sandbox_network
    return found


class NewSeat(BaseModel):
    """An account for the sender called `sender`."""

    sender: str = Field(min_length=1, max_length=80)
    name: str = Field("", max_length=80)
    tier: Literal["free", "premium"] = "premium"


@router.post("/accounts")
async def connect_account(request: Request, body: NewSeat) -> dict[str, str]:
    """Connect an account; what its owner copies into the sender's settings and secrets."""
    operator = operator_of(request)
    made = operator.world.open_seat(body.sender, body.name or body.sender, body.tier)
    return {
        "base_url": f"{operator.app.settings.base_url}/sandbox/network/api",
        "account_id": made.id,
        "user_id": made.member_id,
        "tier": made.tier,
        "api_key": made.api_key,
        "webhook_secret": made.webhook_secret,
    }


@router.post("/faults")
async def fail(request: Request, body: Fault) -> dict[str, int]:
    """Let the next calls of an operation (`chats.send`, `relation_requests.post` ...) fail."""
    faults = operator_of(request).faults
    faults.waiting.append(body)
    return {"waiting": len(faults.waiting)}


@router.post("/webhooks")
async def set_manner(request: Request, body: Manner) -> dict[str, int]:
    """Webhooks late, double, lost or held from now on; what was held leaves when it is let go."""
    hooks = operator_of(request).hooks
    released = hooks.release() if hooks.manner.hold and not body.hold else 0
    hooks.manner = body
    return {"released": released}


@router.post("/state/{sender}/{state}")
async def set_state(
    request: Request, sender: str, state: Literal["running", "disconnected"]
) -> dict[str, int]:
    """Disconnect the account of a sender, or bring it back, and say so by an event."""
    operator = operator_of(request)
    at, changed = await operator.now(), 0
    for seat in operator.world.state.seats.values():
        if seat.sender == sender and seat.state != state:
            seat.state, changed = state, changed + 1
            operator.hooks.later(events.account_state(seat, at))
    operator.world.save()
    return {"changed": changed}
