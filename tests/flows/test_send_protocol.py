"""Section 5 of the design: leases, the age of a pass, commits without an answer, late outcomes."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text, update

from channels.base import NotSent, OutboundMessage, Refused, SendResult, Sent, Unknown
from channels.fake import FakeChannel
from orchestrator import combiner as combiner_module
from orchestrator.combiner import Combiner
from orchestrator.db import make_engine, transaction
from orchestrator.embedded import Embedded
from orchestrator.flows.claim import Claimed, claim
from orchestrator.flows.deliver import deliver, settle
from orchestrator.flows.plan import plan
from orchestrator.flows.sweep import sweep
from orchestrator.in_hand import InHand
from orchestrator.models.messages import messages
from orchestrator.sender import Sender, drain
from orchestrator.store import leases
from orchestrator.store.senders import load_account
from orchestrator.wiring import App
from tests import make
from tests.faults.proxy import Cut, proxying
from tests.flows.test_point_of_no_return import claimed_one, combining, passes, state
from tests.make import NOW

SAID = OutboundMessage(make.uuid7(), "ola@prospect.example", b"{}", "key")


async def one(app: App, column: str) -> Any:
    async with transaction(app.engine) as conn:
        return (await conn.execute(text(f"select {column} from messages"))).scalar_one()


async def hand_over(app: App, combiner: Combiner, found: Claimed) -> SendResult:
    async with transaction(app.engine) as conn:
        account = await load_account(conn, app.keys, found.row.sender_id)
    return await deliver(app, combiner, found, account, replace(SAID, message_id=found.row.id))


async def expired(app: App) -> None:
    async with transaction(app.engine) as conn:
        await conn.execute(update(messages).values(lease_until=text("now() - interval '1 s'")))


# --- the lease


async def test_a_lease_lasts_while_its_process_means_it(app: App) -> None:
    found = await claimed_one(app)
    hand = InHand(app.engine, seconds=60)
    hand.take(found)
    async with transaction(app.engine) as conn:
        await conn.execute(update(messages).values(lease_until=text("now() + interval '1 s'")))
    assert await hand.renew() == 1
    assert await one(app, "lease_until > clock_timestamp() + interval '50 s'")
    hand.drop(found)
    assert await hand.renew() == 0


async def test_a_lease_that_others_took_is_not_renewed(app: App) -> None:
    found = await claimed_one(app)
    hand = InHand(app.engine, seconds=60)
    hand.take(found)
    await expired(app)
    assert (await sweep(app, NOW)).released == 1
    assert await hand.renew() == 0
    (again,) = await claim(app, NOW, owner="two", batch=10)
    before = await one(app, "lease_until")
    assert await hand.renew() == 0
    assert await one(app, "lease_until") == before
    assert again.fence == found.fence + 1


async def test_a_lease_that_ran_out_is_not_renewed(app: App) -> None:
    """L5: after a sleep of the whole machine what the claim weighed is hours old, and nobody else
    has swept it yet."""
    found = await claimed_one(app)
    hand = InHand(app.engine, seconds=60)
    hand.take(found)
    await expired(app)
    assert await hand.renew() == 0
    async with combining(app) as combiner:
        assert not await passes(app, combiner, found)


async def test_renewing_waits_for_nobody(app: App) -> None:
    """Two rows in another order than somebody else's: never a deadlock, and never a wait."""
    found = await claimed_one(app)
    hand = InHand(app.engine, seconds=60)
    hand.take(found)
    async with transaction(app.engine) as conn:
        await conn.execute(text("select 1 from messages for no key update"))
        assert await asyncio.wait_for(hand.renew(), 5) == 0


async def test_what_is_not_begun_is_given_back_at_once_and_unburned(app: App) -> None:
    found = await claimed_one(app)
    hand = InHand(app.engine, seconds=60)
    await hand.give_back([found])
    assert (await state(app), await one(app, "attempt")) == ("retry_wait", 0)
    async with combining(app) as combiner:
        assert not await passes(app, combiner, found)


async def test_a_sender_keeps_the_leases_of_what_waits_and_gives_it_back_when_it_leaves(
    app: App,
) -> None:
    """One connection and a slow server: what waits behind it must not run out meanwhile."""
    shortly = {"send_connections": 1, "lease_seconds": 4}
    app = replace(app, settings=app.settings.model_copy(update=shortly))
    channel = app.channels["email"]
    assert isinstance(channel, FakeChannel)
    channel.delay = 600.0
    await planned(app, 3)
    async with transaction(app.engine) as conn:
        await conn.execute(text("update messages set due_at = now() - interval '1 minute'"))
    stop = asyncio.Event()
    async with combining(app) as combiner:
        running = asyncio.create_task(Sender(app, combiner, owner="test").run(stop))
        await until(app, "count(*) = 1", "m.state = 'sending'")
        await until(app, "count(*) = 2", "m.state = 'leased'")
        first = await one(app, "max(lease_until)")
        await until(app, "count(*) = 2", "m.state = 'leased' and lease_until > :first", first=first)
        stop.set()
        await until(app, "count(*) = 2", "m.state = 'retry_wait' and attempt = 0")
        assert not running.done()  # what was handed over is waited for
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def until(app: App, what: str, where: str, **values: Any) -> None:
    """Until `what` holds of the messages `where`; a worker may take its time on a busy machine."""
    query = text(f"select {what} from messages m where {where}")
    async with asyncio.timeout(60):
        while True:
            async with transaction(app.engine) as conn:
                if (await conn.execute(query, values)).scalar_one():
                    return
            await asyncio.sleep(0.1)


# --- the point of no return


@pytest.mark.parametrize(("slept", "leaves"), [(0.0, True), (1.9, True), (2.1, False)])
async def test_a_pass_that_is_too_old_goes_back_unsent(
    app: App, monkeypatch: pytest.MonkeyPatch, slept: float, leaves: bool
) -> None:
    """Whoever was stopped between commit and first byte does not know what others did since."""
    found = await claimed_one(app)
    steady = combiner_module.steady
    started = steady()
    hits = Counter[str]()

    def clock() -> float:
        hits["read"] += 1
        return started + (slept if hits["read"] > 1 else 0.0)

    monkeypatch.setattr(combiner_module, "steady", clock)
    async with combining(app) as combiner:
        await hand_over(app, combiner, found)
    channel = app.channels["email"]
    assert isinstance(channel, FakeChannel)
    assert len(channel.sent) == leaves
    assert await state(app) == ("sent" if leaves else "retry_wait")
    assert await one(app, "attempt") == (1 if leaves else 0)


async def test_a_pass_that_is_given_back_after_the_sweeper_came_is_no_doubt(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = await claimed_one(app)
    async with combining(app) as combiner:
        plain = combiner.pass_point

        async def stopped_long(*given: Any, **named: Any) -> bool:
            assert await plain(*given, **named)
            async with transaction(app.engine) as conn:
                await conn.execute(
                    update(messages).values(handed_at=text("now() - interval '1 hour'"))
                )
            assert (await sweep(app, NOW)).doubted == 1
            return False

        monkeypatch.setattr(combiner, "pass_point", stopped_long)
        await hand_over(app, combiner, found)
    assert await state(app) == "retry_wait"
    assert await open_tasks(app) == []


async def open_tasks(app: App) -> list[str]:
    async with transaction(app.engine) as conn:
        found = await conn.execute(text("select kind from tasks where state = 'open'"))
        return list(found.scalars())


async def test_nobody_passes_while_a_worker_leaves(app: App) -> None:
    found = await claimed_one(app)
    async with combining(app) as combiner:
        combiner.closing = True
        await hand_over(app, combiner, found)
    assert (await state(app), await one(app, "attempt")) == ("retry_wait", 0)


async def test_the_database_may_not_forget_a_commit(app: App, database_url: str) -> None:
    """L2: with synchronous_commit off, a crash of the server forgets that a message has left."""
    name = database_url.partition("@/")[2].partition("?")[0]
    async with transaction(app.engine) as conn:
        await conn.execute(text(f"alter database {name} set synchronous_commit = off"))
    fresh = make_engine(database_url, pool_size=1)
    try:
        async with transaction(fresh) as conn:
            assert (await conn.execute(text("show synchronous_commit"))).scalar_one() == "on"
    finally:
        await fresh.dispose()


# --- commits that did not answer


async def cut_commits(
    app: App, servers: Embedded, wanted: Callable[[str], Cut | None], result: SendResult | None
) -> Counter[str]:
    """Hand one message over with its commits cut as `wanted`; what the proxy did."""
    found = await claimed_one(app)
    home = Path(servers.endpoints.database_url.partition("?host=")[2]) / ".s.PGSQL.5432"
    assert app.settings.database_url is not None
    name = app.settings.database_url.partition("@/")[2].partition("?")[0]
    channel = app.channels["email"]
    assert isinstance(channel, FakeChannel)
    channel.after.append(result)
    with proxying(home, postgres=True) as proxy:
        url = f"postgresql://avtale@127.0.0.1:{proxy.port}/{name}?sslmode=disable"
        far = replace(app, engine=make_engine(url.partition("?")[0], pool_size=5))
        proxy.commits = wanted
        combiner = Combiner(far.engine)
        writer = asyncio.create_task(combiner.run())
        try:
            await asyncio.wait_for(hand_over(far, combiner, found), 30)
            return Counter({f"{cut}": count for cut, count in proxy.cuts.items()})
        finally:
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
            await far.engine.dispose()


def once(words: str, cut: Cut) -> Callable[[str], Cut | None]:
    """Cut the first commit of a transaction that said `words`."""
    left = [cut]

    def choose(asked: str) -> Cut | None:
        return left.pop() if words in asked and left else None

    return choose


@pytest.mark.parametrize("cut", ["before", "after"])
async def test_an_unknown_pass_sends_nothing_and_is_recovered(
    app: App, servers: Embedded, cut: Cut
) -> None:
    """Not known whether `sending` was committed: it is not sent, and waits to be tried again."""
    cuts = await cut_commits(app, servers, once("set state = 'sending'", cut), None)
    assert cuts[cut] == 1
    channel = app.channels["email"]
    assert isinstance(channel, FakeChannel)
    assert channel.sent == []
    assert await state(app) == "retry_wait"


@pytest.mark.parametrize("cut", ["before", "after"])
@pytest.mark.parametrize(
    ("result", "ends"),
    [
        (None, "sent"),
        (NotSent("greylisted", "451"), "retry_wait"),
        (NotSent("closing", "421", lane="park"), "retry_wait"),
        (Refused("bad_address", "550 5.1.1", bad_address=True), "failed"),
        (Unknown("no answer"), "in_doubt"),
    ],
)
async def test_an_unknown_settlement_is_read_again_and_written_once(
    app: App, servers: Embedded, cut: Cut, result: SendResult | None, ends: str
) -> None:
    """Re-read on a fresh connection, written again under the fence where it did not land."""
    cuts = await cut_commits(app, servers, once("set attempt = m.attempt", cut), result)
    assert cuts[cut] == 1
    assert await state(app) == ends
    async with transaction(app.engine) as conn:
        told = await conn.execute(text(f"select 1 from history where kind = 'message.{ends}'"))
        assert len(told.all()) == 1
        parked = await conn.execute(text("select count(*) from lanes where parked_until > now()"))
        assert parked.scalar_one() == (result is not None and getattr(result, "lane", "") == "park")
        bounced = await conn.execute(text("select count(*) from identities where state='bounced'"))
        assert bounced.scalar_one() == (ends == "failed")


async def test_a_settlement_whose_commit_is_cut_again_and_again_lands_at_last(
    app: App, servers: Embedded
) -> None:
    left: list[Cut] = ["before", "after", "before"]

    def choose(asked: str) -> Cut | None:
        return left.pop() if "set attempt = m.attempt" in asked and left else None

    await cut_commits(app, servers, choose, None)
    assert await state(app) == "sent"


# --- outcomes


async def test_one_refused_login_is_enough_for_all_that_wait(app: App) -> None:
    """Providers lock an account after a few: what waits behind the first goes back untried."""
    await planned(app, 12)
    async with transaction(app.engine) as conn:
        await conn.execute(text("update messages set due_at = now() - interval '1 minute'"))
    channel = app.channels["email"]
    assert isinstance(channel, FakeChannel)
    channel.before.extend([NotSent("auth", "535", lane="pause")] * 12)
    await drain(app)
    assert len(channel.before) == 11
    async with transaction(app.engine) as conn:
        found = await conn.execute(text("select state, attempt from messages"))
        assert Counter(tuple(row) for row in found) == {("retry_wait", 0): 12}


async def claimed_many(app: App, count: int) -> list[Claimed]:
    await planned(app, count)
    return await claim(app, NOW, owner="one", batch=count)


async def planned(app: App, count: int) -> None:
    async with transaction(app.engine) as conn:
        made = await make.world(conn)
        for _ in range(count):
            await make.enrollment(conn, made, await make.prospect(conn, app.keys))
    await plan(app, NOW)


async def test_one_outcome_that_the_database_refuses_costs_the_others_nothing(app: App) -> None:
    found = await claimed_many(app, 4)
    async with combining(app) as combiner:
        assert all([await passes(app, combiner, each) for each in found])
        odd = Sent("a reference with a \0 in it", detail="\udcff\0")
        results = [Sent("1"), Sent("2"), odd, Sent("3")]
        await asyncio.gather(
            *(
                settle(app, combiner, each, result)
                for each, result in zip(found, results, strict=True)
            )
        )
    async with transaction(app.engine) as conn:
        states = (await conn.execute(text("select state from messages"))).scalars().all()
    assert states == ["sent"] * 4


async def test_a_batch_that_the_database_refuses_is_written_one_by_one(app: App) -> None:
    """Whatever one row says that nobody thought of: the others are settled, the writer lives."""
    found = await claimed_many(app, 3)
    async with combining(app) as combiner:
        assert all([await passes(app, combiner, each) for each in found])
        outcomes = [
            {
                "id": each.row.id, "fence": each.fence, "state": "sent", "due_at": None,
                "provider_ref": ref, "class": "sent", "detail": "", "next_step": None,
                "next_due": None, "end_reason": "completed", "spared": 0,
            }
            for each, ref in zip(found, ["1", "\0", "3"], strict=True)
        ]  # fmt: skip
        done = await asyncio.gather(
            *(
                combiner.settle(values, prospect_id=each.row.prospect_id, now=NOW)
                for each, values in zip(found, outcomes, strict=True)
            )
        )
        assert done == [True, False, True]
        assert not await passes(app, combiner, found[0])


async def test_what_follows_is_written_with_the_outcome_or_not_at_all(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crash between the two would keep the failure and lose the bounce (L4)."""
    found = await claimed_one(app)

    async def dies(*_: Any, **__: Any) -> bool:
        raise asyncio.CancelledError  # as good as a kill: nothing after it runs

    monkeypatch.setattr("orchestrator.flows.after_trouble.suppress_address", dies)
    async with combining(app) as combiner:
        assert await passes(app, combiner, found)
        with pytest.raises(asyncio.CancelledError):
            await settle(app, combiner, found, Refused("bad", "550 5.1.1", bad_address=True))
    assert await state(app) == "sending"


async def test_what_befalls_the_account_burns_no_attempt(app: App) -> None:
    found = await claimed_one(app)
    async with combining(app) as combiner:
        await settle(app, combiner, found, NotSent("connect", "refused", lane="park"))
        assert (await state(app), await one(app, "attempt")) == ("retry_wait", 0)
        async with transaction(app.engine) as conn:
            await conn.execute(text("update lanes set parked_until = null"))
        (again,) = await claim(app, NOW + timedelta(hours=1), owner="one", batch=10)
        await settle(app, combiner, again, NotSent("greylisted", "450 later"))
    assert (await state(app), await one(app, "attempt")) == ("retry_wait", 1)


@pytest.mark.parametrize(
    ("result", "ends"),
    [
        (Sent(), "sent"),
        (NotSent("deferred", "451"), "retry_wait"),
        (Refused("content", "554"), "abandoned"),
    ],
)
async def test_a_late_outcome_ends_the_doubt_and_the_question(
    app: App, result: SendResult, ends: str
) -> None:
    found = await claimed_one(app)
    async with combining(app) as combiner:
        assert await passes(app, combiner, found)
        async with transaction(app.engine) as conn:
            await conn.execute(update(messages).values(handed_at=text("now() - interval '1 hour'")))
        assert (await sweep(app, NOW)).doubted == 1
        assert await open_tasks(app) == ["in_doubt"]
        await settle(app, combiner, found, result)
    assert await state(app) == ends
    assert "in_doubt" not in await open_tasks(app)


async def test_late_writes_are_refused_and_counted(app: App) -> None:
    found = await claimed_one(app)
    await expired(app)
    assert (await sweep(app, NOW)).released == 1
    (again,) = await claim(app, NOW, owner="two", batch=10)
    async with combining(app) as combiner:
        await hand_over(app, combiner, found)  # a pass, and the release after it
        assert combiner.refused == 2
        assert await passes(app, combiner, again)
        await settle(app, combiner, found, NotSent("deferred", "451"))
        assert combiner.refused == 3
        assert await state(app) == "sending"


async def test_a_mail_that_was_taken_late_is_not_sent_once_more(app: App) -> None:
    """In doubt, looked up and not found, it waits for its second try: then the answer comes."""
    found = await claimed_one(app)
    async with combining(app) as combiner:
        assert await passes(app, combiner, found)
        async with transaction(app.engine) as conn:
            await conn.execute(update(messages).values(state="in_doubt"))
            await conn.execute(update(messages).values(state="retry_wait"))
            await conn.execute(update(messages).values(lease_owner=None, lease_until=None))
        await settle(app, combiner, found, Sent())
    assert await state(app) == "sent"


async def test_a_claim_waits_for_nobody_who_holds_the_enrollment(app: App) -> None:
    """Claim with the enrollment locked; one that somebody else holds is left for the next round."""
    found = await claimed_one(app)
    async with transaction(app.engine) as conn:
        await leases.release(conn, found.row.id, found.fence, due=NOW, reason="test")
    async with transaction(app.engine) as conn:
        await conn.execute(text("select 1 from enrollments for no key update"))
        assert await asyncio.wait_for(claim(app, NOW, owner="two", batch=5), 5) == []
    assert len(await claim(app, NOW, owner="two", batch=5)) == 1
