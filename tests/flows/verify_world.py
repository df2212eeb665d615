"""A world in which everything has happened by the real flows: what `verify` must find clean."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text

from channels.base import NotSent, Refused, SendResult, Unknown
from channels.fake import FakeChannel
from orchestrator.clock import database_now
from orchestrator.db import transaction
from orchestrator.flows.book import book
from orchestrator.flows.cancel_booking import cancel_booking
from orchestrator.flows.close_task import close_task
from orchestrator.flows.engage import engage
from orchestrator.flows.list_slots import list_slots
from orchestrator.flows.move_booking import move_booking
from orchestrator.flows.plan import plan
from orchestrator.flows.sweep import sweep
from orchestrator.rules.gate import Meaning
from orchestrator.sender import drain
from orchestrator.wiring import App
from tests import make


@dataclass
class Town:
    """Whom something happened to, by what it was."""

    world: make.World
    people: dict[str, UUID]
    now: datetime


async def one(
    app: App,
    made: make.World,
    *,
    before: SendResult | None = None,
    after: SendResult | None = None,
) -> UUID:
    """A person whose first message was handed over, with what the channel said to it."""
    channel = app.channels["email"]
    assert isinstance(channel, FakeChannel)
    async with transaction(app.engine) as conn:
        now = await database_now(conn)
        owner = await make.prospect(conn, app.keys)
        await make.enrollment(conn, made, owner, now=now)
    await plan(app, now)
    if before is not None:
        channel.before.append(before)
    if after is not None:
        channel.after.append(after)
    await send(app)
    return owner


async def send(app: App) -> None:
    """Everything that waits, whenever it is due."""
    async with transaction(app.engine) as conn:
        await conn.execute(
            text(
                "update messages set due_at = clock_timestamp() - interval '1 second'"
                " where state in ('pending', 'retry_wait')"
            )
        )
    await drain(app)


async def say(app: App, owner: UUID, meaning: Meaning) -> None:
    """An answer of theirs, and what follows from it."""
    async with transaction(app.engine) as conn:
        now = await database_now(conn)
        await engage(
            conn,
            app.keys,
            prospect_id=owner,
            kind="reply",
            grade="human",
            meaning=meaning,
            happened_at=now,
            now=now,
        )
    await plan(app, now)
    await send(app)


async def book_call(app: App, owner: UUID, slot: int) -> UUID:
    """They pick the `slot`-th time that is offered."""
    async with transaction(app.engine) as conn:
        now = await database_now(conn)
        found = await conn.execute(
            text("select id, host_id from unlocks where prospect_id = :owner"), {"owner": owner}
        )
        unlock, host = found.one()
        times = await list_slots(conn, host_id=host, minutes=20, now=now)
        made = await book(conn, app.keys, unlock_id=unlock, start=times[slot], now=now)
    await send(app)
    return made


async def tell(app: App, kind: str, outcome: str) -> None:
    """Somebody closes every open task of a kind."""
    async with transaction(app.engine) as conn:
        now = await database_now(conn)
        ids = await conn.execute(
            text("select id from tasks where state = 'open' and kind = :kind"), {"kind": kind}
        )
        for task in list(ids.scalars()):
            await close_task(conn, app.keys, task_id=task, outcome=outcome, now=now)


async def town(app: App) -> Town:
    """Sent, retried, refused, bounced, in doubt and settled, answered, declined, stopped, booked,
    moved, called off: one person each."""
    async with transaction(app.engine) as conn:
        made = await make.world(conn)
    people = {
        "sent": await one(app, made),
        "retried": await one(app, made, before=NotSent("greylisted", "450 later")),
        "refused": await one(app, made, before=Refused("policy", "554 5.7.1 no")),
        "bounced": await one(app, made, before=Refused("none", "550 5.1.1", bad_address=True)),
        "doubtful": await one(app, made, after=Unknown("no answer to the final dot")),
    }
    await tell(app, "in_doubt", "sent")
    people["lost"] = await one(app, made, after=Unknown("no answer to the final dot"))
    await tell(app, "in_doubt", "retry")
    await send(app)
    people["unclear"] = await one(app, made, after=Unknown("no answer to the final dot"))
    await say(app, people["unclear"], "unclear")
    meanings: tuple[Meaning, ...] = ("interested", "no", "stop")
    for meaning in meanings:
        people[meaning] = await one(app, made)
        await say(app, people[meaning], meaning)
    people["booked"] = await one(app, made)
    await say(app, people["booked"], "interested")
    booking = await book_call(app, people["booked"], 0)
    people["called off"] = await one(app, made)
    await say(app, people["called off"], "interested")
    other = await book_call(app, people["called off"], 4)
    async with transaction(app.engine) as conn:
        now = await database_now(conn)
        times = await list_slots(conn, host_id=made.host, minutes=20, now=now)
        await move_booking(conn, app.keys, booking_id=booking, start=times[-1], now=now)
        await cancel_booking(conn, app.keys, booking_id=other, by="prospect", now=now)
    await send(app)
    await sweep(app, now)
    return Town(made, people, now)
