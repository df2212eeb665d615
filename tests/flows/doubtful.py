"""A person whose first message is in doubt, for the tests of what settles that."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text

from channels.base import Sent, Unknown
from channels.fake import FakeChannel
from orchestrator.clock import database_now
from orchestrator.db import transaction
from orchestrator.flows.plan import plan
from orchestrator.sender import drain
from orchestrator.wiring import App
from tests import make


@dataclass
class Keyed(FakeChannel):
    """Its provider honours our key: what it has taken it takes no second time."""

    name: str = "email"

    async def send(self, account: Any, message: Any, pass_point: Any) -> Any:
        before = {one.idempotency_key for one in self.sent}
        result = await super().send(account, message, pass_point)
        if message.idempotency_key in before and isinstance(result, Sent | Unknown):
            self.sent.pop()
        return result


@dataclass
class Doubtful:
    """One message in doubt, and the world that it is in."""

    app: App
    channel: FakeChannel
    world: make.World
    person: UUID
    enrollment: UUID
    message: UUID

    async def rows(self, query: str, **values: Any) -> Sequence[Any]:
        """Rows of one query."""
        async with transaction(self.app.engine) as conn:
            return [tuple(one) for one in await conn.execute(text(query), values)]

    async def run(self, statement: str, **values: Any) -> None:
        """One statement."""
        async with transaction(self.app.engine) as conn:
            await conn.execute(text(statement), values)

    async def state(self) -> str:
        """The state of the message."""
        ((found,),) = await self.rows("select state from messages where id = :id", id=self.message)
        return str(found)

    async def stands(self) -> tuple[str, str]:
        """Where the enrollment stands: state and step."""
        ((state, step),) = await self.rows(
            "select state, step from enrollments where id = :id", id=self.enrollment
        )
        return state, step

    async def open_tasks(self) -> list[str]:
        """The kinds of the open tasks."""
        return [kind for (kind,) in await self.rows("select kind from tasks where state = 'open'")]

    async def age(self, interval: str) -> None:
        """Let the hand-over be this long ago, and the message be looked at now. (History cannot be
        changed, so the first hand-over's line of it says now: the older of both counts.)"""
        await self.run(
            "update messages set"
            " handed_at = clock_timestamp() - cast(cast(:i as text) as interval),"
            " due_at = clock_timestamp() - interval '1 second' where id = :id",
            i=interval,
            id=self.message,
        )

    async def turn(self) -> None:
        """Plan and send what may leave now."""
        async with transaction(self.app.engine) as conn:
            now = await database_now(conn)
        await plan(self.app, now)
        await drain(self.app)


async def doubtful(app: App, channel: FakeChannel, *, arrived: bool = True) -> Doubtful:
    """The answer to the hand-over was lost; `arrived`: the message was not."""
    app.channels["email"] = channel
    async with transaction(app.engine) as conn:
        now = await database_now(conn)
        world = await make.world(conn)
        person = await make.prospect(conn, app.keys, address="ola@prospect.example")
        enrolled = await make.enrollment(conn, world, person, now=now)
    channel.after.append(Unknown("timeout after the final dot"))
    made = Doubtful(app, channel, world, person, enrolled, person)
    await made.turn()
    if not arrived:
        channel.sent.clear()
    ((made.message,),) = await made.rows("select id from messages where state = 'in_doubt'")
    return made
