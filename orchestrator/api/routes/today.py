"""What is going on today: the numbers of the console's first page."""

from datetime import datetime
from typing import Literal

from fastapi import APIRouter
from pydantic import Field

from orchestrator.api.parts import Avtale, reach
from orchestrator.api.shapes import Out
from orchestrator.db import transaction
from orchestrator.flows.view_today import view_today

router = APIRouter(prefix="/api/today", tags=["today"])


class TodaysSender(Out):
    """Whether a sender sends, and why not."""

    name: str
    channel: str
    address: str
    state: Literal["sending", "resting", "paused"]
    reason: str
    until: datetime | None


class TodaysNumbers(Out):
    """The last 24 hours, and what waits for a person. A rep's own, for a rep."""

    tasks: dict[str, int] = Field(description="open ones by kind")
    answers: int = Field(description="people who did something human, whatever it means")
    calls: int = Field(description="booked, and not cancelled since")
    senders: list[TodaysSender]


@router.get("", dependencies=[reach("today:read", scoped=True)], summary="Read today's numbers")
async def read_today(app: Avtale) -> TodaysNumbers:
    """What happened lately, and what waits."""
    async with transaction(app.engine) as conn:
        return TodaysNumbers.model_validate(await view_today(conn))
