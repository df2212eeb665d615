"""The whole way of a message on a real database, with a channel that does what the test says."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from channels.base import NotSent, Refused, SendResult, Sent, Unknown
from channels.fake import FakeChannel
from orchestrator.clock import database_now
from orchestrator.db import transaction
from orchestrator.flows.add_fact import add_fact
from orchestrator.flows.book import book
from orchestrator.flows.close_task import close_task
from orchestrator.flows.plan import plan
from orchestrator.flows.save_sender import save_sender
from orchestrator.flows.set_sequence_state import set_sequence_state
from orchestrator.sender import drain
from orchestrator.wiring import App
from tests import make
from tests.flows.call_world import TEN, person
from tests.make import NOW


def fake(app: App) -> FakeChannel:
    channel = app.channels["email"]
    assert isinstance(channel, FakeChannel)
    return channel


async def people(app: App, count: int = 1, **settings: Any) -> make.World:
    async with transaction(app.engine) as conn:
        made = await make.world(conn, **settings)
        for _ in range(count):
            owner = await make.prospect(conn, app.keys)
            await make.enrollment(conn, made, owner)
    return made


async def rows(app: App, query: str, **values: Any) -> list[Any]:
    async with transaction(app.engine) as conn:
        return list((await conn.execute(text(query), values)).all())


async def ready(app: App) -> None:
    """Due times in the past of the database's own clock, which the sender reads."""
    async with transaction(app.engine) as conn:
        await conn.execute(text("update messages set due_at = now() - interval '1 minute'"))


async def send(app: App) -> int:
    await ready(app)
    return await drain(app)


async def test_a_message_leaves_once_and_the_sequence_goes_on(app: App) -> None:
    await people(app)
    await plan(app, NOW)
    assert await send(app) == 1
    assert await send(app) == 0
    assert len(fake(app).sent) == 1
    ((state, step, due),) = await rows(
        app,
        "select m.state, e.step, e.due_at - m.settled_at from messages m"
        " join enrollments e on e.id = m.enrollment_id",
    )
    assert (state, step) == ("sent", "wait-1")
    assert due == timedelta(days=3)


async def test_what_leaves_is_what_was_frozen(app: App) -> None:
    await people(app)
    await plan(app, NOW)
    fake(app).before.append(NotSent("greylisted", "450 later"))
    await send(app)
    await send(app)
    ((payload,),) = await rows(app, "select payload from frozen")
    assert [one.payload for one in fake(app).sent] == [payload]


@pytest.mark.parametrize(
    ("late", "result", "state", "task"),
    [
        (False, NotSent("greylisted", "450 later"), "retry_wait", None),
        (False, Refused("policy", "554 5.7.1 no"), "failed", "undeliverable"),
        (False, Refused("no_such_user", "550 5.1.1", bad_address=True), "failed", None),
        (True, NotSent("refused_after_body", "451 later"), "retry_wait", None),
        (True, Refused("content", "554 no"), "failed", "undeliverable"),
        (True, Unknown("no answer to the final dot"), "in_doubt", "in_doubt"),
    ],
)
async def test_each_result_has_its_state(
    app: App, late: bool, result: SendResult, state: str, task: str | None
) -> None:
    await people(app)
    await plan(app, NOW)
    (fake(app).after if late else fake(app).before).append(result)
    await send(app)
    assert await rows(app, "select state from messages") == [(state,)]
    expected = [(task,)] if task else []
    assert await rows(app, "select kind from tasks where state = 'open'") == expected


@pytest.mark.parametrize(
    "refusal", [Refused("content", "554 no"), Refused("no_such_user", "550", bad_address=True)]
)
async def test_an_invitation_that_is_refused_is_told_to_a_person(
    app: App, refusal: Refused
) -> None:
    """A call is booked: neither side may stay untold in silence."""
    async with transaction(app.engine) as conn:
        who = await person(conn, app.keys, await make.world(conn))
        await book(conn, app.keys, unlock_id=who.unlock, start=TEN, now=NOW)
    fake(app).after.extend([refusal, refusal])
    assert await send(app) == 2
    titles = "select count(*) from tasks where kind = 'undeliverable' and state = 'open'"
    assert await rows(app, titles) == [(2,)]


async def needy(app: App) -> UUID:
    """One person whose fact is gone again after their message was planned: whom."""
    hello = make.PROGRAM["steps"][0] | {"needs": ["fact.pain"]}
    await people(app, program=make.PROGRAM | {"steps": [hello, *make.PROGRAM["steps"][1:]]})
    ((owner,),) = await rows(app, "select id from prospects")
    await learn(app, owner)
    await plan(app, NOW)
    async with transaction(app.engine) as conn:
        await conn.execute(text("delete from facts"))
    assert await send(app) == 0
    assert await rows(app, "select kind, state from tasks") == [("missing_fact", "open")]
    assert await rows(app, "select state from enrollments") == [("sending",)]
    return UUID(str(owner))


async def learn(app: App, owner: UUID) -> None:
    """What was missing is added."""
    async with transaction(app.engine) as conn:
        await add_fact(
            *(conn, app.keys),
            prospect_id=owner,
            name="pain",
            value="Paper",
            source=None,
            found_on=None,
            now=await database_now(conn),
        )


async def test_a_message_that_the_sender_held_back_leaves_when_the_fact_is_there(app: App) -> None:
    await learn(app, await needy(app))
    assert await rows(app, "select kind, state from tasks") == [("missing_fact", "done")]
    assert await drain(app) == 1


async def test_a_task_that_is_closed_too_early_is_asked_once_more(app: App) -> None:
    """Done, and the fact is not there: it is looked at at once, and does not leave (L6)."""
    owner = await needy(app)
    async with transaction(app.engine) as conn:
        task = (await conn.execute(text("select id from tasks"))).scalar_one()
        now = await database_now(conn)
        await close_task(conn, app.keys, task_id=task, outcome="done", now=now)
    assert await drain(app) == 0
    assert await rows(app, "select state from tasks order by id") == [("done",), ("open",)]
    await learn(app, owner)
    assert await drain(app) == 1


async def test_what_is_in_doubt_is_never_resent_by_itself(app: App) -> None:
    """L2."""
    await people(app)
    await plan(app, NOW)
    fake(app).after.append(Unknown("gone"))
    assert await send(app) == 1
    for _ in range(3):
        assert await send(app) == 0
    assert len(fake(app).sent) == 1


async def test_a_bad_address_suppresses_the_address_and_not_the_person(app: App) -> None:
    await people(app)
    await plan(app, NOW)
    fake(app).before.append(Refused("no_such_user", "550 5.1.1", bad_address=True))
    await send(app)
    assert await rows(app, "select scope, reason from suppressions") == [("address", "hard_bounce")]
    assert await rows(app, "select opted_out_at from prospects") == [(None,)]
    assert await rows(app, "select state from identities") == [("bounced",)]
    assert await rows(app, "select state, stop_reason from enrollments") == [
        ("stopped", "undeliverable")
    ]


async def test_an_ill_lane_rests_and_burns_no_attempt(app: App) -> None:
    await people(app, 3)
    await plan(app, NOW)
    fake(app).before.append(NotSent("connect", "refused", lane="park"))  # the others wait
    await send(app)
    assert await send(app) == 0
    ((parked, reason),) = await rows(app, "select parked_until > now(), park_reason from lanes")
    assert (parked, reason) == (True, "connect")
    async with transaction(app.engine) as conn:
        await conn.execute(text("update lanes set parked_until = null"))
    assert await send(app) == 3


async def test_a_sender_whose_password_is_wrong_is_paused(app: App) -> None:
    await people(app, 2)
    await plan(app, NOW)
    fake(app).before.append(NotSent("auth", "535 no", lane="pause"))
    await send(app)
    ((paused, reason),) = await rows(app, "select paused_at is not null, pause_reason from senders")
    assert paused
    assert "535" in reason
    assert await send(app) == 0


async def test_an_adapter_fault_before_the_point_is_retried_and_after_it_in_doubt(app: App) -> None:
    class Broken(FakeChannel):
        async def send(self, account: Any, message: Any, pass_point: Any) -> SendResult:
            if message.recipient.startswith("a"):
                raise RuntimeError("before")
            await pass_point()
            raise RuntimeError("after")

    app.channels["email"] = Broken(name="email")
    async with transaction(app.engine) as conn:
        made = await make.world(conn)
        for address in ("a@prospect.example", "b@prospect.example"):
            owner = await make.prospect(conn, app.keys, address=address)
            await make.enrollment(conn, made, owner)
    await plan(app, NOW)
    await send(app)
    found = await rows(
        app,
        "select m.state from messages m join identities i on i.id = m.identity_id"
        " order by i.address",
    )
    assert found == [("retry_wait",), ("in_doubt",)]


async def test_one_poisoned_message_does_not_hold_up_the_rest(app: App) -> None:
    await people(app, 5)
    await plan(app, NOW)
    async with transaction(app.engine) as conn:
        await conn.execute(
            text(
                "update identities set address = 'not an address' where id ="
                " (select identity_id from messages order by id limit 1)"
            )
        )
        await conn.execute(
            text(
                "update prospects set first_name = repeat('x', 300000) where id ="
                " (select prospect_id from messages order by id desc limit 1)"
            )
        )
    await send(app)
    counts = dict(await rows(app, "select state, count(*) from messages group by 1"))
    assert counts["sent"] >= 3
    assert counts.get("leased", 0) == 0


async def test_many_messages_share_few_commits(app: App) -> None:
    """The combiner: many connections, one writer, far fewer commits than state changes."""
    import asyncio

    from orchestrator.combiner import Combiner
    from orchestrator.sender import Sender

    await people(app, 100)
    await plan(app, NOW)
    await ready(app)
    combiner = Combiner(app.engine)
    writer = asyncio.create_task(combiner.run())
    sender = Sender(app, combiner, owner="test")
    while await sender.claim_once():
        await sender.finish()
    writer.cancel()
    assert combiner.written == 200
    assert combiner.commits < 150
    assert len({one.message_id for one in fake(app).sent}) == 100


async def test_a_sent_message_has_its_story(app: App) -> None:
    """L7: planned, handed over, sent; each with its message."""
    await people(app)
    await plan(app, NOW)
    await send(app)
    kinds = [kind for (kind,) in await rows(app, "select kind from history order by id")]
    assert kinds == ["message.planned", "message.sending", "message.sent"]


async def test_the_end_of_a_sequence_is_told(app: App) -> None:
    """L7: also when the last message is what ends it."""
    steps = [make.PROGRAM["steps"][0] | {"next": "end"}]
    await people(app, program=make.PROGRAM | {"steps": steps})
    await plan(app, NOW)
    await send(app)
    told = await rows(
        app, "select detail->>'reason' from history where kind = 'enrollment.finished'"
    )
    assert told == [("completed",)]


async def test_the_providers_reference_is_kept(app: App) -> None:
    await people(app)
    await plan(app, NOW)
    fake(app).after.append(Sent("ok"))
    await send(app)
    assert await rows(app, "select state, provider_ref from messages") == [("sent", "ok")]


async def test_a_paused_sequence_goes_on_when_it_is_resumed(app: App) -> None:
    """B12: a change of mind takes effect, and at once."""
    await people(app)
    await plan(app, NOW)
    async with transaction(app.engine) as conn:
        await set_sequence_state(conn, name="test", state="paused", now=NOW)
    assert await send(app) == 0
    async with transaction(app.engine) as conn:
        now = await database_now(conn)
        await set_sequence_state(conn, name="test", state="active", now=now)
    assert await drain(app) == 1


async def test_a_raised_cap_counts_at_once(app: App) -> None:
    """B12: a change of the schedule must not wait for the midnight of the old one."""
    await people(app, 3, daily_cap=1)
    await plan(app, NOW)
    assert await send(app) == 1
    assert await send(app) == 0
    async with transaction(app.engine) as conn:
        now = await database_now(conn)
        await save_sender(
            conn, app.keys, app.channels, name="kari", values={"daily_cap": 10}, now=now, new=False
        )
    assert await send(app) == 2
