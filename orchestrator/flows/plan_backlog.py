"""Plan a backlog: two batches side by side, so that one is decided while PostgreSQL writes another.

The first batch goes alone, and most of the time it is the only one.
"""

import asyncio
from datetime import datetime

from orchestrator.flows.plan import BATCH, plan
from orchestrator.rules.watermark import Watermarks
from orchestrator.wiring import App

_ABREAST = 2
_MOST = 10_000  # looked at in one go, so that the caller reads the clock anew


async def plan_backlog(app: App, now: datetime, *, batch: int = BATCH) -> int:
    """Plan what is due until a batch comes back with room. Returns how many were looked at."""
    marks = Watermarks()  # of this backlog: the next one begins with what is oldest again
    looked = await plan(app, now, batch=batch, watermarks=marks)
    if looked < batch:
        return looked

    async def on() -> None:
        nonlocal looked
        found = batch
        while found == batch and looked < _MOST:
            found = await plan(app, now, batch=batch, watermarks=marks)
            looked += found

    failed = await asyncio.gather(*(on() for _ in range(_ABREAST)), return_exceptions=True)
    for error in failed:
        if isinstance(error, BaseException):
            raise error
    return looked
