"""What a process has in hand: lanes, the places of its connections, and what may pass when."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from channels.base import (
    Account,
    Handing,
    NotSent,
    OutboundMessage,
    Refused,
    SendResult,
    Sent,
)
from channels.fake import FakeChannel
from orchestrator.db import transaction
from orchestrator.flows import deliver
from orchestrator.ids import uuid7
from orchestrator.lanes import Lane, Place, Places
from orchestrator.sender import Sender, drain
from orchestrator.wiring import App
from tests.flows.test_point_of_no_return import combining
from tests.flows.test_send_protocol import planned, until


async def ready(app: App, count: int) -> None:
    await planned(app, count)
    async with transaction(app.engine) as conn:
        await conn.execute(text("update messages set due_at = now() - interval '1 minute'"))


async def states(app: App) -> list[str]:
    async with transaction(app.engine) as conn:
        found = await conn.execute(text("select state from messages order by state"))
        return list(found.scalars())


@dataclass
class Watching(FakeChannel):
    """Refuses the first message; sees what the database says when the second has passed."""

    app: App | None = None
    seen: list[str] = field(default_factory=list)

    async def send(self, account: Account, message: OutboundMessage, pass_point: Any) -> SendResult:
        assert self.app is not None
        assert await pass_point()
        self.seen = await states(self.app)
        return Sent() if self.sent or self.after else await self._refuse(message)

    async def _refuse(self, message: OutboundMessage) -> SendResult:
        self.sent.append(message)
        return Refused("content", "554 no")


@dataclass
class Brief(Watching):
    """The same over connections that take one message each."""

    def connections(self, account: Account) -> int:
        return 1

    async def stream(self, account: Account, feed: Any) -> None:
        if (one := feed.next()) is not None:
            feed.done(one, await self.send(account, one.message, one.pass_point))


@pytest.mark.parametrize("kind", [Watching, Brief])
async def test_nothing_passes_while_an_outcome_of_its_connection_waits(
    app: App, monkeypatch: pytest.MonkeyPatch, kind: type[Watching]
) -> None:
    """A crash then would leave two in doubt for one connection, also where another follows it."""
    await ready(app, 2)
    watching = kind(name="email", app=app)
    app.channels["email"] = watching
    plain = deliver.settle

    async def slowly(*given: Any) -> None:
        await asyncio.sleep(0.3)
        await plain(*given)

    monkeypatch.setattr(deliver, "settle", slowly)
    await drain(app)
    assert watching.seen == ["failed", "sending"]
    assert await states(app) == ["failed", "sent"]


@dataclass
class Ahead(FakeChannel):
    """Takes the next message before it says what became of the last; breaks down at the third."""

    def connections(self, account: Account) -> int:
        return 1

    async def stream(self, account: Account, feed: Any) -> None:
        one: Handing | None = feed.next()
        while one is not None:
            if not await one.pass_point():
                raise AssertionError("nothing forbids it")
            ahead = feed.next()
            if len(self.sent) == 2:
                raise RuntimeError("a fault of the adapter")
            self.sent.append(one.message)
            feed.done(one, Sent())
            one = ahead


async def test_a_fault_in_a_stream_doubts_what_had_passed_and_nothing_else(app: App) -> None:
    await ready(app, 4)
    app.channels["email"] = Ahead(name="email")
    await drain(app, rounds=1)
    # Two were sent, the third had passed, the fourth was only taken.
    assert await states(app) == ["in_doubt", "retry_wait", "sent", "sent"]


@dataclass
class InStep(FakeChannel):
    """Calls `meanwhile` once, while its first message is on its way."""

    meanwhile: Callable[[], Awaitable[None]] | None = None
    named: list[str] = field(default_factory=list)

    def connections(self, account: Account) -> int:
        return 5

    async def stream(self, account: Account, feed: Any) -> None:
        while (one := feed.next()) is not None:
            assert await one.pass_point()
            self.named.append(account.display_name)
            meanwhile, self.meanwhile = self.meanwhile, None
            if meanwhile is not None:
                await meanwhile()
            feed.done(one, Sent())


async def change(app: App, statement: str) -> None:
    async with transaction(app.engine) as conn:
        await conn.execute(text(statement))


async def test_a_connection_ends_when_its_account_has_changed(app: App) -> None:
    """A backlog keeps a connection for hours: an old password, server or name must not."""
    await ready(app, 2)
    held = "(select max(id::text)::uuid from messages)"
    await change(app, f"update messages set due_at = now() + interval '1 h' where id = {held}")
    async with combining(app) as combiner:
        sender = Sender(app, combiner, owner="one")

        async def renamed() -> None:
            await change(app, "update senders set display_name = 'Kari Married'")
            await change(app, f"update messages set due_at = now() where id = {held}")
            assert await sender.claim_once() == 1

        channel = InStep(name="email", meanwhile=renamed)
        app.channels["email"] = channel
        assert await sender.claim_once() == 1
        await sender.finish()
    assert channel.named == ["Kari Nordmann", "Kari Married"]


@dataclass
class Torn(FakeChannel):
    """Takes two at once: one is refused for the account's sake, the other hangs until `meanwhile`
    is over."""

    meanwhile: Callable[[], Awaitable[None]] | None = None

    def connections(self, account: Account) -> int:
        return 5

    async def stream(self, account: Account, feed: Any) -> None:
        if (one := feed.next()) is None:
            return
        two = feed.next()
        feed.done(one, NotSent("closing", "421", lane="park"))
        assert self.meanwhile is not None
        await self.meanwhile()
        feed.done(two, NotSent("timeout", "no reply"))


async def test_a_lane_that_is_ill_is_not_claimed_from_while_a_hand_over_of_it_hangs(
    app: App,
) -> None:
    """What was claimed would come back at once, and again, and use up the day's cap."""
    await ready(app, 4)
    held = "id not in (select id from messages order by id limit 2)"
    await change(app, f"update messages set due_at = now() + interval '1 h' where {held}")
    used: list[Any] = []
    async with combining(app) as combiner:
        sender = Sender(app, combiner, owner="one")

        async def unparked() -> None:
            await until(app, "count(*) = 1", "m.state = 'retry_wait'")
            await change(app, "update lanes set parked_until = null")
            await change(app, "update messages set due_at = now() where state = 'pending'")
            used.append(await sender.claim_once())

        app.channels["email"] = Torn(name="email", meanwhile=unparked)
        assert await sender.claim_once() == 2
        await sender.finish()
        async with transaction(app.engine) as conn:
            used.append((await conn.execute(text("select used from lanes"))).scalar_one())
        assert used == [0, 2]
    assert (await states(app)).count("pending") == 2


# --- the places


def lane(most: int = 5) -> Lane:
    return Lane(Account(uuid7(), "a", "a@x.example", "A", {}), "email", most)


def filled(places: Places, most: int = 5, count: int = 50) -> Lane:
    made = lane(most)
    made.waiting.extend([None] * count)  # type: ignore[list-item] - only counted here
    made.held = count
    places.offer(made)
    return made


def takes(places: Places) -> list[Place]:
    found = []
    while (place := places.take(0.0)) is not None:
        place.lane.waiting.popleft()
        places.offer(place.lane)
        found.append(place)
    return found


def test_a_lane_grows_by_one_with_each_brisk_hand_over_and_no_further_than_it_may() -> None:
    places = Places(10)
    made = filled(places, most=3)
    (first,) = takes(places)
    for wanted in (1, 1, 0, 0):
        places.brisk(first)
        places.offer(made)
        assert len(takes(places)) == wanted
    assert made.streams == 3


def test_lanes_that_have_shown_nothing_have_half_of_the_places_together() -> None:
    places = Places(10)
    for _ in range(20):
        filled(places)
    assert len(takes(places)) == 5


def test_what_is_slow_gives_its_place_to_others() -> None:
    places = Places(2)
    slow = filled(places)
    (place,) = takes(places)
    other = filled(places)
    assert takes(places) == []
    places.late(place)
    assert slow.limit == 1
    assert [one.lane for one in takes(places)] == [other]
    places.end(place)
    assert (slow.streams, len(places.used)) == (0, 1)


@given(st.lists(st.tuples(st.sampled_from(["new", "brisk", "late", "end"]), st.integers(0, 9))))
def test_places_are_never_used_twice_and_come_back(steps: list[tuple[str, int]]) -> None:
    places = Places(6)
    used: list[Place] = []
    for what, number in steps:
        if what == "new":
            filled(places, most=3, count=4)
        elif used:
            place = used[number % len(used)]
            if what == "brisk" and not place.slow:
                places.brisk(place)
                places.offer(place.lane)
            elif what == "late":
                places.late(place)
            elif what == "end":
                used.remove(place)
                places.end(place)
        used += takes(places)
        prompt = [place for place in used if not place.slow]
        assert len(prompt) <= 6
        assert sum(place.trial for place in prompt) <= 3
        assert all(place.lane.streams <= 3 for place in used)
    for place in used:
        places.end(place)
    assert not places.used
    everyone = [filled(places) for _ in range(9)]
    assert len(takes(places)) >= 3
    assert all(one.streams <= 1 for one in everyone)
