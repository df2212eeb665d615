"""L2 and L4 where they are held: nothing passes after a stop, and nothing passes twice."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from channels.base import ChannelEvent, OutboundMessage, Sent, Stopped
from channels.fake import FakeChannel
from orchestrator.combiner import Combiner
from orchestrator.db import transaction
from orchestrator.flows.claim import Claimed, claim
from orchestrator.flows.deliver import deliver, settle
from orchestrator.flows.plan import plan
from orchestrator.flows.stop_person import stop_person
from orchestrator.flows.sweep import sweep
from orchestrator.flows.take_event import take_event
from orchestrator.flows.take_events import take_events
from orchestrator.ids import uuid7
from orchestrator.models.messages import messages, senders
from orchestrator.models.people import identities, prospects, suppressions
from orchestrator.models.sequences import enrollments, sequences
from orchestrator.rules import event_json
from orchestrator.store import leases
from orchestrator.store.arrivals import Arrival
from orchestrator.store.senders import load_account
from orchestrator.wiring import App
from tests import make
from tests.make import NOW


@asynccontextmanager
async def combining(app: App) -> AsyncIterator[Combiner]:
    combiner = Combiner(app.engine)
    writer = asyncio.create_task(combiner.run())
    try:
        yield combiner
    finally:
        writer.cancel()
        with suppress(asyncio.CancelledError):
            await writer


async def claimed_one(app: App, **settings: Any) -> Claimed:
    """A leased message, one step before the point of no return."""
    async with transaction(app.engine) as conn:
        made = await make.world(conn, **settings)
        owner = await make.prospect(conn, app.keys, address="ola@prospect.example")
        await make.enrollment(conn, made, owner)
    await plan(app, NOW)
    (found,) = await claim(app, NOW, owner="one", batch=10)
    return found


async def passes(app: App, combiner: Combiner, found: Claimed, fence: int | None = None) -> bool:
    return await combiner.pass_point(
        found.row.id,
        fence or found.fence,
        prospect_id=found.row.prospect_id,
        sender_id=found.row.sender_id,
        sequence_id=found.sequence_id,
        now=NOW,
    )


async def state(app: App) -> str:
    async with transaction(app.engine) as conn:
        return str((await conn.execute(text("select state from messages"))).scalar_one())


async def test_with_nothing_against_it_a_message_passes_once(app: App) -> None:
    found = await claimed_one(app)
    async with combining(app) as combiner:
        assert await passes(app, combiner, found)
        assert not await passes(app, combiner, found)
    assert await state(app) == "sending"


Stop = Callable[[App, AsyncConnection, Claimed], Awaitable[Any]]


async def _opt_out(app: App, conn: AsyncConnection, found: Claimed) -> None:
    await stop_person(
        conn, prospect_id=found.row.prospect_id, reason="opt_out", now=NOW, keys=app.keys
    )


def _set(table: Any, **values: Any) -> Stop:
    async def act(_app: App, conn: AsyncConnection, _found: Claimed) -> None:
        await conn.execute(update(table).values(**values))

    return act


def _suppress(scope: str, *, other_address: bool = False) -> Stop:
    async def act(app: App, conn: AsyncConnection, found: Claimed) -> None:
        address = "ola@prospect.example"
        if other_address:
            address = "ola@private.example"
            await make.identity(conn, app.keys, found.row.prospect_id, address)
        await conn.execute(
            insert(suppressions).values(
                id=uuid7(),
                scope=scope,
                channel="email",
                address_hash=app.keys.address_hash("email", address),
                reason="imported",
            )
        )

    return act


async def _answer_unread(_app: App, conn: AsyncConnection, found: Claimed) -> None:
    raw = f"From: ola\r\nReferences: <x@y>\r\n {found.row.rfc_message_id}\r\n\r\nHi".encode()
    await take_event(conn, source="mail", external_id="1", kind="mail", raw=raw, detail={}, now=NOW)


async def _writes_without_reference(_app: App, conn: AsyncConnection, _found: Claimed) -> None:
    raw = b"From: Ola <Ola@prospect.example>\r\nSubject: stop\r\n\r\nNo more, please."
    await take_event(conn, source="mail", external_id="2", kind="mail", raw=raw, detail={}, now=NOW)


def _said(kind: str, **of: Any) -> Stop:
    """An event of a provider that is stored, and that nobody has read yet."""

    async def act(_app: App, conn: AsyncConnection, found: Claimed) -> None:
        named = {name: getattr(found.row, field) for name, field in of.items()}
        event = ChannelEvent(kind, "1", **named)  # type: ignore[arg-type]  # of the table below
        detail = {"event": event_json.encode(event)}
        sender = found.row.sender_id
        await take_events(conn, [Arrival("t", "1", kind, "signed", sender, b"", detail)], now=NOW)

    return act


async def _said_by_address(_app: App, conn: AsyncConnection, found: Claimed) -> None:
    event = ChannelEvent("message", "1", address="ola@prospect.example", text="No")
    detail = {"event": event_json.encode(event)}
    arrival = Arrival("t", "1", "message", "signed", found.row.sender_id, b"", detail)
    await take_events(conn, [arrival], now=NOW)


STOPS: dict[str, Stop] = {
    "opt-out": _opt_out,
    "opt-out column alone": _set(prospects, opted_out_at=NOW),
    "person suppressed": _suppress("person"),
    "person suppressed by another of their addresses": _suppress("person", other_address=True),
    "address suppressed": _suppress("address"),
    "address bounced": _set(identities, state="bounced"),
    "person paused": _set(prospects, paused_at=NOW),
    "not before tomorrow": _set(prospects, not_before=NOW + timedelta(days=1)),
    "answered": _set(enrollments, answered_at=NOW),
    "enrollment stopped": _set(enrollments, state="stopped"),
    "sequence paused": _set(sequences, state="paused"),
    "sender paused": _set(senders, paused_at=NOW),
    "answered, and nobody has read it yet": _answer_unread,
    "wrote by themselves, and nobody has read it yet": _writes_without_reference,
    "said it to the provider, and nobody has read it yet": _said_by_address,
    "unsubscribed, and nobody has read it yet": _said("unsubscribed", message_id="id"),
    "bounced, and nobody has read it yet": _said("bounced", rfc_message_id="rfc_message_id"),
    "lease run out": _set(messages, lease_until=text("now() - interval '1 second'")),
    "leased by another since": _set(messages, state="leased", fence=messages.c.fence + 1),
}


@pytest.mark.parametrize("name", STOPS)
async def test_nothing_passes_after_a_stop(app: App, name: str) -> None:
    """L4: each stop, committed between claim and hand-over, is seen at the point of no return."""
    found = await claimed_one(app)
    async with transaction(app.engine) as conn:
        await STOPS[name](app, conn, found)
    async with combining(app) as combiner:
        assert not await passes(app, combiner, found)
    assert await state(app) != "sending"


@pytest.mark.parametrize(
    "stop",
    [
        "opt-out",
        "not before tomorrow",
        "person paused",
        "answered, and nobody has read it yet",
        "said it to the provider, and nobody has read it yet",
    ],
)
async def test_a_stop_that_is_not_yet_committed_is_waited_for(app: App, stop: str) -> None:
    """The prospect's row lock orders the two: the hand-over waits, then sees the stop."""
    found = await claimed_one(app)
    async with combining(app) as combiner:
        async with transaction(app.engine) as conn:
            await STOPS[stop](app, conn, found)
            asking = asyncio.create_task(passes(app, combiner, found))
            await asyncio.sleep(0.3)
            assert not asking.done()
        assert not await asking


async def test_races_of_opt_out_and_hand_over(app: App) -> None:
    """Whichever commits first: no `sending` line of history comes after the stop's line."""
    async with transaction(app.engine) as conn:
        made = await make.world(conn)
        for _ in range(60):
            owner = await make.prospect(conn, app.keys)
            await make.enrollment(conn, made, owner)
    await plan(app, NOW)
    found = await claim(app, NOW, owner="one", batch=60)

    async def stop(one: Claimed, pause: float) -> None:
        await asyncio.sleep(pause)
        async with transaction(app.engine) as conn:
            await _opt_out(app, conn, one)

    async with combining(app) as combiner:
        await asyncio.gather(
            *(passes(app, combiner, one) for one in found),
            *(stop(one, (i % 7) / 500) for i, one in enumerate(found)),
        )
    async with transaction(app.engine) as conn:
        late = await conn.execute(
            text(
                "select count(*) from history s join history m on m.prospect_id = s.prospect_id"
                " where s.kind = 'prospect.opted_out' and m.kind = 'message.sending'"
                " and m.id > s.id"
            )
        )
        stopped = await conn.execute(
            text(
                "select count(distinct prospect_id) from history where kind = 'prospect.opted_out'"
            )
        )
        assert late.scalar_one() == 0
        assert stopped.scalar_one() == 60


async def test_two_claimers_never_lease_the_same_message(app: App) -> None:
    async with transaction(app.engine) as conn:
        made = await make.world(conn)
        for _ in range(30):
            owner = await make.prospect(conn, app.keys)
            await make.enrollment(conn, made, owner)
    await plan(app, NOW)
    rounds = await asyncio.gather(*(claim(app, NOW, owner=f"w{i}", batch=30) for i in range(6)))
    ids = [one.row.id for found in rounds for one in found]
    assert len(ids) == len(set(ids))


async def test_a_stale_fence_settles_nothing(app: App) -> None:
    """A worker that slept through its lease writes nothing when it wakes."""
    found = await claimed_one(app)
    async with transaction(app.engine) as conn:
        await conn.execute(
            update(messages).values(state="retry_wait", lease_until=text("now() - interval '1 s'"))
        )
    (again,) = await claim(app, NOW, owner="two", batch=10)
    assert again.fence == found.fence + 1
    async with combining(app) as combiner:
        assert not await passes(app, combiner, found)
        assert await passes(app, combiner, again)
        await settle(app, combiner, found, Sent("stale"))
        assert await state(app) == "sending"
        await settle(app, combiner, again, Sent("fresh"))
    assert await state(app) == "sent"


async def test_an_expired_lease_is_retried_and_a_stale_sending_is_in_doubt(app: App) -> None:
    found = await claimed_one(app)
    async with transaction(app.engine) as conn:
        await conn.execute(update(messages).values(lease_until=text("now() - interval '1 s'")))
    assert (await sweep(app, NOW)).released == 1
    assert await state(app) == "retry_wait"
    (found,) = await claim(app, NOW, owner="one", batch=10)
    async with combining(app) as combiner:
        assert await passes(app, combiner, found)
        assert (await sweep(app, NOW)).doubted == 0
        async with transaction(app.engine) as conn:
            await conn.execute(update(messages).values(handed_at=text("now() - interval '1 hour'")))
        assert (await sweep(app, NOW)).doubted == 1
        assert await state(app) == "in_doubt"
        assert await claim(app, NOW + timedelta(days=9), owner="two", batch=10) == []
        # Late evidence with the same fence resolves the doubt.
        await settle(app, combiner, found, Sent("late"))
    assert await state(app) == "sent"


async def test_the_daily_cap_holds_against_many_claimers(app: App) -> None:
    async with transaction(app.engine) as conn:
        made = await make.world(conn, daily_cap=5)
        for _ in range(20):
            owner = await make.prospect(conn, app.keys)
            await make.enrollment(conn, made, owner)
    await plan(app, NOW)
    rounds = await asyncio.gather(*(claim(app, NOW, owner=f"w{i}", batch=30) for i in range(5)))
    assert sum(len(found) for found in rounds) == 5
    assert await claim(app, NOW + timedelta(hours=3), owner="w", batch=30) == []
    tomorrow = await claim(app, NOW + timedelta(days=1), owner="w", batch=30)
    assert len(tomorrow) == 5


async def test_the_gap_lets_one_leave_at_a_time(app: App) -> None:
    async with transaction(app.engine) as conn:
        made = await make.world(conn, gap_seconds=90, gap_jitter_seconds=60)
        for _ in range(3):
            owner = await make.prospect(conn, app.keys)
            await make.enrollment(conn, made, owner)
    await plan(app, NOW)
    assert len(await claim(app, NOW, owner="w", batch=30)) == 1
    assert await claim(app, NOW + timedelta(seconds=89), owner="w", batch=30) == []
    assert len(await claim(app, NOW + timedelta(seconds=150), owner="w", batch=30)) == 1


async def test_the_senders_own_hours_are_kept(app: App) -> None:
    hours = {"days": "mon-fri", "hours": "12:00-13:00"}
    async with transaction(app.engine) as conn:
        made = await make.world(conn, hours=hours)
        owner = await make.prospect(conn, app.keys)
        await make.enrollment(conn, made, owner)
    await plan(app, NOW)
    assert await claim(app, NOW, owner="w", batch=30) == []
    assert len(await claim(app, NOW.replace(hour=12), owner="w", batch=30)) == 1


async def test_a_slow_claim_does_not_keep_the_window_open(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """L5: the window closed while the claim waited for the database."""
    lease = leases.lease

    async def slow(*given: Any, **named: Any) -> Any:
        await asyncio.sleep(0.6)
        return await lease(*given, **named)

    monkeypatch.setattr(leases, "lease", slow)
    oslo: dict[str, Any] = {
        "hours": {"days": "mon-sun", "hours": "08:00-16:00"},
        "zone": "Europe/Oslo",
    }
    async with transaction(app.engine) as conn:
        made = await make.world(conn, **oslo)
        await make.enrollment(conn, made, await make.prospect(conn, app.keys))
    await plan(app, NOW)
    closing = NOW.replace(hour=15) - timedelta(milliseconds=300)  # 16:00 in Oslo
    (found,) = await claim(app, closing, owner="one", batch=10)
    assert not found.window_open()


async def test_a_sleep_of_the_machine_does_not_keep_the_window_open(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """L5: `time.monotonic()` stands still while a laptop sleeps, and night comes all the same."""
    found = await claimed_one(app)
    before, clock = found.now(), time.clock_gettime

    def slept(which: int) -> float:
        return clock(which) + (3 * 3600 if which == time.CLOCK_BOOTTIME else 0)

    monkeypatch.setattr(time, "clock_gettime", slept)
    assert found.now() - before > timedelta(hours=3)


async def test_a_window_that_closes_after_the_claim_lets_nothing_pass(app: App) -> None:
    """L5 at the point of no return: what was claimed in time is not sent too late."""
    oslo: dict[str, Any] = {
        "hours": {"days": "mon-sun", "hours": "08:00-16:00"},
        "zone": "Europe/Oslo",
    }
    async with transaction(app.engine) as conn:
        made = await make.world(conn, **oslo)
        await make.enrollment(conn, made, await make.prospect(conn, app.keys))
        account = await load_account(conn, app.keys, made.sender)
    await plan(app, NOW)
    closing = NOW.replace(hour=15) - timedelta(milliseconds=1)  # 16:00 in Oslo
    (found,) = await claim(app, closing, owner="one", batch=10)
    await asyncio.sleep(0.01)
    message = OutboundMessage(found.row.id, "ola@prospect.example", b"{}", "key")
    async with combining(app) as combiner:
        assert await deliver(app, combiner, found, account, message) == Stopped()
    channel = app.channels["email"]
    assert isinstance(channel, FakeChannel)
    assert channel.sent == []
