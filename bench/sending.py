"""One worker's sending loop, run until so many messages have left."""

import asyncio

from sqlalchemy import text

from bench.place import Clock
from orchestrator.combiner import Combiner
from orchestrator.db import transaction
from orchestrator.sender import Sender
from orchestrator.wiring import App

PATIENCE = 600.0  # seconds
_SENT = "select count(*) from messages where state = 'sent' and handed_at is not null"
_STATES = "select state, last_class, count(*) from messages group by 1, 2"


async def seconds_for(app: App, count: int, *, patience: float = PATIENCE) -> float:
    """Seconds until `count` of what is due has been handed over and settled.

    Raises RuntimeError, with what there is instead, when they were not sent in `patience` seconds.
    """
    combiner, stop = Combiner(app.engine), asyncio.Event()
    sender = Sender(app, combiner, owner="bench")
    writer = asyncio.create_task(combiner.run())
    clock = Clock()
    running = asyncio.create_task(sender.run(stop))
    try:
        while sender.sent < count and clock.seconds < patience:  # noqa: ASYNC110 - no event for it
            await asyncio.sleep(0.005)
        took = clock.seconds
    finally:
        stop.set()
        await running
        writer.cancel()
    async with transaction(app.engine) as conn:
        sent = await conn.scalar(text(_SENT)) or 0
        if sent < count:
            seen = (await conn.execute(text(_STATES))).all()
            raise RuntimeError(f"{sent} of {count} messages were sent; there are {seen}")
    return took
