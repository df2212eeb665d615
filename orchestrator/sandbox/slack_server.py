"""The one Slack of a sandbox: its state, its webhooks, its limits; and a door to its controls."""

from dataclasses import dataclass, field
from datetime import datetime

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from orchestrator.clock import database_now
from orchestrator.db import transaction
from orchestrator.sandbox import slack_events as events
from orchestrator.sandbox.provider_faults import Fault, Faults, Limits
from orchestrator.sandbox.provider_hooks import Hooks, Manner
from orchestrator.sandbox.slack_world import HOME, SlackWorld
from orchestrator.wiring import App

router = APIRouter(prefix="/sandbox/slack/control", include_in_schema=False)


@dataclass
class Slack:
    """Everything of one process. The state is in a file and outlives it."""

    app: App
    world: SlackWorld
    hooks: Hooks
    faults: Faults = field(default_factory=Faults)
    limits: Limits = field(default_factory=Limits)

    async def now(self) -> datetime:
        """The sandbox's time."""
        async with transaction(self.app.engine) as conn:
            return await database_now(conn)


def slack_of(request: Request) -> Slack:
    """The Slack of this application, made when it is first asked for."""
    state = request.app.state
    if not hasattr(state, "sandbox_slack"):
        app: App = state.avtale
        world = SlackWorld(app.settings.data_dir / "sandbox" / "slack.json")
        state.sandbox_slack = Slack(app, world, Hooks(app.settings))
    found: Slack = state.sandbox_slack
    return found


class NewApp(BaseModel):
    """An app for the sender called `sender`, in a workspace."""

    sender: str = Field(min_length=1, max_length=80)
    workspace: str = Field(HOME, pattern="^T[A-Z0-9]{2,20}$")
    name: str = Field("Avtale", min_length=1, max_length=80)


@router.post("/apps")
async def install(request: Request, body: NewApp) -> dict[str, str]:
    """Install an app; what its owner copies into the sender's settings and secrets."""
    slack = slack_of(request)
    made = slack.world.install(body.sender, body.workspace, body.name)
    return {
        "workspace": made.team_id,
        "address": f"{made.team_id}:{made.bot_user}",
        "base_url": f"{slack.app.settings.base_url}/sandbox/slack/api/",
        "bot_token": made.token,
        "signing_secret": made.signing_secret,
    }


@router.post("/faults")
async def fail(request: Request, body: Fault) -> dict[str, int]:
    """Let the next calls of a method fail."""
    faults = slack_of(request).faults
    faults.waiting.append(body)
    return {"waiting": len(faults.waiting)}


@router.post("/webhooks")
async def set_manner(request: Request, body: Manner) -> dict[str, int]:
    """Webhooks late, double, lost or held from now on; what was held leaves when it is let go."""
    hooks = slack_of(request).hooks
    released = hooks.release() if hooks.manner.hold and not body.hold else 0
    hooks.manner = body
    return {"released": released}


@router.post("/revoke/{sender}")
async def revoke(request: Request, sender: str) -> dict[str, bool]:
    """Take the token of a sender's app away, and say so by an event."""
    slack = slack_of(request)
    for found in slack.world.state.installs.values():
        if found.sender == sender:
            found.revoked = True
            slack.world.save()
            at = (await slack.now()).timestamp()
            slack.hooks.later(events.revoked_event(found, at))
            return {"revoked": True}
    return {"revoked": False}
