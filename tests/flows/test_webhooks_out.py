"""Webhooks out: nothing lost between history and receiver, whoever commits, dies or is slow."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncEngine
from standardwebhooks import Webhook, WebhookVerificationError

from orchestrator.clock import utc_now
from orchestrator.db import transaction
from orchestrator.deliverer import Deliverer
from orchestrator.egress import Egress
from orchestrator.errors import BadInput, Conflict, NotFound
from orchestrator.flows import fan_out as fan_out_module
from orchestrator.flows.change_subscription import change_subscription
from orchestrator.flows.create_subscription import NewSubscription, create_subscription
from orchestrator.flows.deliver_webhooks import deliver_webhooks
from orchestrator.flows.fan_out import Horizon, fan_out
from orchestrator.flows.ping_subscription import ping_subscription
from orchestrator.flows.redeliver import redeliver
from orchestrator.flows.remove_subscription import remove_subscription
from orchestrator.flows.rotate_secret import rotate_secret
from orchestrator.ids import uuid7
from orchestrator.models.outbound import attempts, deliveries, subscriptions
from orchestrator.models.work import history as history_table
from orchestrator.models.work import tasks
from orchestrator.rules import delivery
from orchestrator.rules.egress import parse_allowed
from orchestrator.store import history
from orchestrator.store import subscriptions as store
from orchestrator.wiring import App
from tests.make import NOW
from tests.receiver import OK, receiver

LOOPBACK = "127.0.0.1"
REFUSED = b"HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n"


@pytest.fixture
async def egress(app: App) -> AsyncIterator[Egress]:
    """Connections that may go to loopback, as an operator would have allowed."""
    app.settings.egress_allow = LOOPBACK
    made = Egress(parse_allowed(LOOPBACK), seconds=2)
    yield made
    await made.close()


async def subscribe(app: App, port: int, *kinds: str) -> NewSubscription:
    url = f"http://{LOOPBACK}:{port}/hook"
    app.settings.egress_allow = LOOPBACK
    return await create_subscription(app, url=url, kinds=kinds or ["*"], now=NOW)


async def happen(app: App, *kinds: str, at: datetime = NOW) -> list[int]:
    async with transaction(app.engine) as conn:
        return [
            await history.append(conn, kind, at=at, prospect_id=uuid7(), reason="no")
            for kind in kinds
        ]


async def all_out(app: App) -> int:
    made, horizon = 0, Horizon()
    while new := await fan_out(app, NOW, horizon):
        made += new
    return made


async def deliver(
    app: App, egress: Egress, made: NewSubscription, at: datetime | None = None
) -> int:
    return await deliver_webhooks(app, egress, made.id, now=at or NOW, wall=utc_now())


async def rows(engine: AsyncEngine, table: Any, *where: Any) -> list[dict[str, Any]]:
    async with transaction(engine) as conn:
        order = table.c.get("history_id", table.c.id)  # ids of one millisecond have no order
        found = await conn.execute(select(table).where(*where).order_by(order))
        return [dict(row) for row in found.mappings()]


def parts(request: bytes) -> tuple[dict[str, str], bytes]:
    head, _, body = request.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")[1:]
    return {k.lower(): v for k, v in (line.split(": ", 1) for line in lines)}, body


async def test_a_consumer_of_the_reference_library_verifies_what_we_send(
    app: App, egress: Egress
) -> None:
    async with receiver() as (port, seen):
        made = await subscribe(app, port)
        await happen(app, "booking.made")
        assert await all_out(app) == 1
        assert await deliver(app, egress, made) == 1
    headers, body = parts(seen[0])
    event = Webhook(made.secret).verify(body, headers)
    assert event["type"] == "booking.made"
    assert headers["content-type"] == "application/json"
    other = Webhook("whsec_" + "QUFB" * 8)
    for wrong in (body[:-1] + b" ", b" " + body):
        with pytest.raises(WebhookVerificationError):
            Webhook(made.secret).verify(wrong, headers)
    with pytest.raises(WebhookVerificationError):
        other.verify(body, headers)
    (row,) = await rows(app.engine, deliveries)
    assert (row["state"], str(row["id"])) == ("delivered", headers["webhook-id"])


async def test_both_secrets_sign_while_they_overlap(app: App, egress: Egress) -> None:
    async with receiver() as (port, seen):
        made = await subscribe(app, port)
        async with transaction(app.engine) as conn:
            new = await rotate_secret(
                conn, app.keys, subscription_id=made.id, now=NOW, overlap=timedelta(hours=1)
            )
        for _ in range(3):
            await happen(app, "message.sent")
        await all_out(app)
        assert await deliver(app, egress, made) == 3
        headers, body = parts(seen[-1])
        assert headers["webhook-signature"].count("v1,") == 2
        assert " v1," in headers["webhook-signature"]
        for secret in (made.secret, new.secret):
            assert Webhook(secret).verify(body, headers)["type"] == "message.sent"
        await happen(app, "message.sent")
        await all_out(app)
        await deliver(app, egress, made, NOW + timedelta(hours=1))
        headers, body = parts(seen[-1])
        assert Webhook(new.secret).verify(body, headers)
        with pytest.raises(WebhookVerificationError):
            Webhook(made.secret).verify(body, headers)


async def test_only_what_was_asked_for_and_only_from_now_on(app: App) -> None:
    await happen(app, "message.sent")
    made = await subscribe(app, 1, "booking.*", "unlock.created")
    await happen(app, "message.sent", "booking.made", "prospect.paused", "enrollment.unlocked")
    assert await all_out(app) == 2
    kinds = [row["kind"] for row in await rows(app.engine, deliveries)]
    assert kinds == ["booking.made", "unlock.created"]
    assert await all_out(app) == 0
    (row,) = await rows(app.engine, subscriptions)
    assert row["after_history"] == (await rows(app.engine, history_table))[-1]["id"]
    assert made.secret not in str(row)
    assert made.secret not in repr(made)


async def test_a_line_that_commits_late_is_not_lost(app: App) -> None:
    made = await subscribe(app, 1)
    horizon = Horizon()
    async with app.engine.connect() as slow:
        transaction_ = await slow.begin()
        early = await history.append(slow, "booking.made", at=NOW)
        (late,) = await happen(app, "message.sent")
        assert early < late
        assert await fan_out(app, NOW, horizon) == 0  # it waits
        (row,) = await rows(app.engine, subscriptions)
        assert row["after_history"] < early
        await transaction_.commit()
    assert await fan_out(app, NOW, horizon) == 2
    told = [row["history_id"] for row in await rows(app.engine, deliveries)]
    assert told == [early, late]
    assert made


async def test_a_writer_that_has_its_id_but_no_row_yet_is_waited_for(app: App) -> None:
    await subscribe(app, 1)
    horizon = Horizon()
    async with app.engine.connect() as slow:
        # What an INSERT does first: lock the table, then take the id, then write.
        transaction_ = await slow.begin()
        await slow.execute(text("lock table history in row exclusive mode"))
        taken = (await slow.execute(text("select nextval('history_id_seq')"))).scalar_one()
        await happen(app, "message.sent")
        assert await fan_out(app, NOW, horizon) == 0
        await slow.execute(
            text(
                "insert into history (id, at, kind) overriding system value "
                "values (:id, now(), 'booking.made')"
            ),
            {"id": taken},
        )
        await transaction_.commit()
    assert await fan_out(app, NOW, horizon) == 2


async def test_nothing_is_lost_or_doubled_under_out_of_order_commits(app: App) -> None:
    await subscribe(app, 1, "message.*")
    await subscribe(app, 1, "*")
    committed: list[int] = []
    writing = True
    chance = random.Random(4711)

    async def write(n: int) -> None:
        for _ in range(12):
            async with app.engine.connect() as conn:
                begun = await conn.begin()
                ids = []
                for _line in range(chance.randint(1, 3)):
                    ids.append(await history.append(conn, "message.sent", at=NOW))
                    await asyncio.sleep(chance.random() * 0.02)
                if chance.random() < 0.2:
                    await begun.rollback()
                else:
                    await begun.commit()
                    committed.extend(ids)

    async def spread() -> None:
        horizon = Horizon()
        while writing:
            await fan_out(app, NOW, horizon)
            await asyncio.sleep(0)

    app.engine.sync_engine.pool._max_overflow = 30  # type: ignore[attr-defined]
    spreading = [asyncio.create_task(spread()) for _ in range(2)]
    await asyncio.gather(*(write(n) for n in range(8)))
    writing = False
    await asyncio.gather(*spreading)
    await all_out(app)
    told = await rows(app.engine, deliveries)
    of_each = Counter(row["subscription_id"] for row in told)
    assert set(of_each.values()) == {len(committed)}
    for which in of_each:
        ids = [row["history_id"] for row in told if row["subscription_id"] == which]
        assert sorted(ids) == sorted(committed)


async def test_a_backlog_is_taken_in_batches(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fan_out_module, "_BATCH", 7)
    await subscribe(app, 1)
    await happen(app, *["message.sent"] * 20, "prospect.paused")
    assert await fan_out(app, NOW, Horizon()) == 7
    assert await all_out(app) == 13


async def test_a_killed_worker_costs_a_doubled_delivery_with_the_same_id(
    app: App, egress: Egress
) -> None:
    reached = asyncio.Event()

    async def hang(_: bytes, __: Any) -> None:
        reached.set()
        await asyncio.sleep(30)

    async with receiver(hang) as (port, _):
        made = await subscribe(app, port)
        await happen(app, "booking.made")
        await all_out(app)
        dying = asyncio.create_task(deliver(app, egress, made))
        await reached.wait()
        dying.cancel()
        await asyncio.gather(dying, return_exceptions=True)
    assert await deliver(app, egress, made) == 0  # the lease is still held
    async with receiver() as (port, seen):
        async with transaction(app.engine) as conn:
            await conn.execute(update(subscriptions).values(url=f"http://{LOOPBACK}:{port}/hook"))
            await conn.execute(
                update(deliveries).values(lease_until=text("clock_timestamp() - interval '1 s'"))
            )
        assert await deliver(app, egress, made) == 1
    (row,) = await rows(app.engine, deliveries)
    assert (row["state"], row["attempt"]) == ("delivered", 2)
    assert parts(seen[0])[0]["webhook-id"] == str(row["id"])


async def test_two_workers_do_not_take_the_same_delivery(app: App, egress: Egress) -> None:
    async with receiver() as (port, seen):
        made = await subscribe(app, port)
        await happen(app, *["message.sent"] * 30)
        await all_out(app)

        async def work() -> None:
            while await deliver(app, egress, made):
                pass

        await asyncio.gather(*(work() for _ in range(4)))
    ids = [parts(request)[0]["webhook-id"] for request in seen]
    assert len(ids) == len(set(ids)) == 30


async def test_a_late_outcome_does_not_overwrite_a_redelivery(app: App, egress: Egress) -> None:
    async def slow(_: bytes, writer: Any) -> None:
        await asyncio.sleep(0.2)
        writer.write(REFUSED)

    async with receiver(slow) as (port, _):
        made = await subscribe(app, port)
        await happen(app, "booking.made")
        await all_out(app)
        under_way = asyncio.create_task(deliver(app, egress, made))
        await asyncio.sleep(0.1)
        (row,) = await rows(app.engine, deliveries)
        async with transaction(app.engine) as conn:
            which = {"subscription_id": made.id, "delivery_id": row["id"]}
            assert await redeliver(conn, **which, now=NOW) == 1
        await under_way
    (row,) = await rows(app.engine, deliveries)
    assert (row["state"], row["attempt"], row["due_at"]) == ("pending", 0, NOW)


async def test_a_failing_receiver_is_tried_for_a_day_and_then_disabled(
    app: App, egress: Egress
) -> None:
    async with receiver(REFUSED) as (port, seen):
        made = await subscribe(app, port, "booking.*")
        watcher = await create_subscription(
            app, url=f"http://{LOOPBACK}:1/", kinds=["task.*"], now=NOW
        )
        await happen(app, "booking.made")
        await all_out(app)
        at = NOW
        for _ in range(delivery.ATTEMPTS):
            assert await deliver(app, egress, made, at) == 1
            assert await deliver(app, egress, made, at) == 0
            (row,) = await rows(app.engine, deliveries)
            at = max(at, row["due_at"])
    assert NOW + timedelta(hours=24) <= at <= NOW + timedelta(hours=28)
    assert len(seen) == delivery.ATTEMPTS
    assert len({parts(request)[0]["webhook-id"] for request in seen}) == 1
    assert len({parts(request)[1] for request in seen}) == 1  # byte-identical
    assert row["state"] == "failed"
    log = await rows(app.engine, attempts)
    assert [one["status"] for one in log] == [500] * delivery.ATTEMPTS
    found = (await rows(app.engine, subscriptions, subscriptions.c.id == made.id))[0]
    assert (found["enabled"], found["disabled_reason"]) == (False, "failing")
    (task,) = await rows(app.engine, tasks)
    assert task["kind"] == "subscription_disabled"
    kinds = [one["kind"] for one in await rows(app.engine, history_table)]
    assert kinds[-2:] == ["subscription.disabled", "task.opened"]
    await all_out(app)
    (told,) = await rows(app.engine, deliveries, deliveries.c.subscription_id == watcher.id)
    assert json.loads(told["body"])["data"]["task_kind"] == "subscription_disabled"

    await happen(app, "booking.moved")
    assert await all_out(app) == 0  # kept in history until it is enabled again
    async with receiver() as (port, seen):
        await change_subscription(
            app, subscription_id=made.id, now=at, url=f"http://{LOOPBACK}:{port}/", enabled=True
        )
        assert await all_out(app) == 1
        assert await deliver(app, egress, made, at) == 2
    assert sorted(json.loads(parts(one)[1])["type"] for one in seen) == [
        "booking.made", "booking.moved",
    ]  # fmt: skip


async def test_an_attempt_that_breaks_here_is_a_failure_like_any_other(
    app: App, egress: Egress, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError

    made = await subscribe(app, 1)
    await happen(app, "booking.made")
    await all_out(app)
    monkeypatch.setattr(egress, "post", broken)
    assert await deliver(app, egress, made) == 1
    (row,) = await rows(app.engine, deliveries)
    assert (row["state"], row["lease_until"]) == ("pending", None)
    assert row["due_at"] > NOW
    assert (await rows(app.engine, attempts))[0]["detail"] == {"trouble": "broken: RuntimeError"}


async def test_410_disables_at_once_and_a_redirect_is_a_failure(app: App, egress: Egress) -> None:
    gone = b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n"
    async with receiver() as (inner, trap):
        location = f"http://{LOOPBACK}:{inner}/"
        moved = f"HTTP/1.1 302 X\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode()
        async with receiver(gone) as (port, _), receiver(moved) as (other, __):
            made = await subscribe(app, port)
            redirected = await subscribe(app, other)
            await happen(app, "booking.made")
            await all_out(app)
            await deliver(app, egress, made)
            await deliver(app, egress, redirected)
    assert trap == []
    states = {
        row["subscription_id"]: (row["state"], row["due_at"] > NOW)
        for row in await rows(app.engine, deliveries, deliveries.c.kind == "booking.made")
    }
    assert states == {made.id: ("failed", False), redirected.id: ("pending", True)}
    enabled = {row["id"]: row["disabled_reason"] for row in await rows(app.engine, subscriptions)}
    assert enabled == {made.id: "gone", redirected.id: None}


async def test_a_success_ends_the_failing(app: App, egress: Egress) -> None:
    answers = [REFUSED, OK]

    async def turn(_: bytes, writer: Any) -> None:
        writer.write(answers.pop(0))

    async with receiver(turn) as (port, _):
        made = await subscribe(app, port)
        await happen(app, "booking.made")
        await all_out(app)
        await deliver(app, egress, made)
        assert (await rows(app.engine, subscriptions))[0]["failing_since"]
        await deliver(app, egress, made, NOW + timedelta(minutes=1))
    assert (await rows(app.engine, subscriptions))[0]["failing_since"] is None
    assert (await rows(app.engine, deliveries))[0]["state"] == "delivered"


async def test_a_slow_receiver_delays_nobody(app: App, egress: Egress) -> None:
    async def hang(_: bytes, __: Any) -> None:
        await asyncio.sleep(30)

    async with receiver(hang) as (slow, _), receiver() as (quick, seen):
        for _n in range(5):
            await subscribe(app, slow)
        made = await subscribe(app, quick)
        await happen(app, *["message.sent"] * 40)
        await all_out(app)
        async with transaction(app.engine) as conn:
            await conn.execute(update(deliveries).values(due_at=text("now() - interval '1 hour'")))
        stop = asyncio.Event()
        running = asyncio.create_task(Deliverer(app, egress).run(stop))
        async with asyncio.timeout(1.5):  # an attempt at the slow ones takes two seconds
            while len(seen) < 40:  # noqa: ASYNC110 - what is waited for comes over a socket
                await asyncio.sleep(0.01)
        stop.set()
        await running
    states = Counter(
        row["state"]
        for row in await rows(app.engine, deliveries, deliveries.c.subscription_id == made.id)
    )
    assert states == {"delivered": 40}


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9000/", "https://127.0.0.1/", "https://[::1]/", "https://10.0.0.1/",
        "https://169.254.169.254/latest", "https://[::ffff:127.0.0.1]/", "https://2130706433/",
        "https://localhost/", "https://user@1.1.1.1/", "http://1.1.1.1/", "https://1.1.1.1:22/",
        "https://no-such-name.invalid/",
    ],
)  # fmt: skip
async def test_a_receiver_inside_is_refused(app: App, url: str) -> None:
    with pytest.raises(BadInput):
        await create_subscription(app, url=url, kinds=["*"], now=NOW)
    assert await rows(app.engine, subscriptions) == []


async def test_a_receiver_that_became_private_is_never_connected(app: App) -> None:
    async with receiver() as (port, seen):
        app.settings.egress_allow = LOOPBACK
        made = await subscribe(app, port)
        await happen(app, "booking.made")
        await all_out(app)
        shut = Egress()  # the operator took the permission back
        await deliver(app, shut, made)
        await shut.close()
    assert seen == []
    (log,) = await rows(app.engine, attempts)
    assert log["status"] is None
    assert log["detail"]["trouble"].startswith("refused: ")


async def test_ping_redeliver_and_remove(app: App, egress: Egress) -> None:
    async with receiver() as (port, seen):
        made = await subscribe(app, port, "booking.*")
        async with transaction(app.engine) as conn:
            ping = await ping_subscription(conn, subscription_id=made.id, now=NOW)
        assert await deliver(app, egress, made) == 1
        async with transaction(app.engine) as conn:
            await redeliver(conn, subscription_id=made.id, delivery_id=ping, now=NOW)
        assert await deliver(app, egress, made) == 1
        first, second = (parts(request) for request in seen)
    assert first[0]["webhook-id"] == second[0]["webhook-id"] == str(ping)
    assert first[1] == second[1]
    assert json.loads(first[1])["type"] == "subscription.test"
    assert len(await rows(app.engine, attempts)) == 2
    for missing in (UUID(int=1), uuid7()):
        async with transaction(app.engine) as conn:
            with pytest.raises(NotFound):
                await redeliver(conn, subscription_id=made.id, delivery_id=missing, now=NOW)
    await change_subscription(app, subscription_id=made.id, now=NOW, enabled=False)
    async with transaction(app.engine) as conn:
        with pytest.raises(Conflict):
            await ping_subscription(conn, subscription_id=made.id, now=NOW)
    async with transaction(app.engine) as conn:
        await remove_subscription(conn, subscription_id=made.id, now=NOW)
        with pytest.raises(NotFound):
            await remove_subscription(conn, subscription_id=made.id, now=NOW)
    for table in (subscriptions, deliveries, attempts):
        assert await rows(app.engine, table) == []


async def test_skipping_what_was_missed(app: App) -> None:
    made = await subscribe(app, 1)
    await happen(app, "booking.made")
    await all_out(app)
    await change_subscription(app, subscription_id=made.id, now=NOW, enabled=False)
    await happen(app, "booking.moved")
    await change_subscription(app, subscription_id=made.id, now=NOW, enabled=True, skip_missed=True)
    await happen(app, "booking.cancelled")
    assert await all_out(app) == 1
    states = {row["kind"]: row["state"] for row in await rows(app.engine, deliveries)}
    assert states == {"booking.made": "failed", "booking.cancelled": "pending"}


async def test_an_unknown_kind_is_refused(app: App) -> None:
    for kinds in (["bookings.*"], [], ["message"], ["prospect.paused"]):
        with pytest.raises(BadInput):
            await create_subscription(app, url="https://1.1.1.1/", kinds=kinds, now=NOW)


async def test_writers_are_seen_while_they_write_and_not_after(app: App) -> None:
    async with app.engine.connect() as conn:
        begun = await conn.begin()
        await history.append(conn, "booking.made", at=NOW)
        async with transaction(app.engine) as other:
            assert len(await store.history_writers(other)) == 1
        await begun.rollback()
    async with transaction(app.engine) as other:
        assert await store.history_writers(other) == frozenset()
