"""What settles a doubt by what a channel declares: asked, the same key again, or a person."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from channels.base import Account, Capabilities, OutboundMessage, Sent, Unknown
from channels.fake import FakeChannel
from orchestrator.clock import database_now
from orchestrator.db import transaction
from orchestrator.flows.book import book
from orchestrator.flows.cancel_booking import cancel_booking
from orchestrator.flows.decide_doubts import decide_doubts
from orchestrator.flows.lay_out_doubt import lay_out_doubt
from orchestrator.flows.reconcile import reconcile
from orchestrator.flows.stop_person import stop_person
from orchestrator.rules import doubt as rules
from orchestrator.sender import drain
from orchestrator.store import doubts
from orchestrator.wiring import App
from tests import make
from tests.flows.call_world import TEN, messages_of, person
from tests.flows.doubtful import Doubtful, Keyed, doubtful
from tests.make import NOW

DAY = 24 * 3600
KEYED = Capabilities(subject=True, threads=True, idempotent_seconds=DAY)


@dataclass
class Asked(FakeChannel):
    """A channel that can be asked, and what it says."""

    name: str = "email"
    there: Sent | Unknown | None = None
    asked: list[str] = field(default_factory=list)

    async def find(self, account: Account, message: OutboundMessage) -> Sent | Unknown | None:
        self.asked.append(message.idempotency_key)
        return self.there


async def settle(made: Doubtful, *, age: str | None = "1 hour") -> int:
    """One pass of the reconciler over a hand-over of this age."""
    if age is not None:
        await made.age(age)
    async with transaction(made.app.engine) as conn:
        now = await database_now(conn)
    return await reconcile(made.app, now)


@pytest.mark.parametrize(
    ("there", "age", "state"),
    [
        (Sent("ref-1"), "1 hour", "sent"),
        (None, "1 hour", "retry_wait"),
        (Unknown("busy"), "1 hour", "in_doubt"),
        (None, "2 days", "in_doubt"),  # a copy may have been tidied away since
        (Sent("ref-1"), "2 days", "sent"),
        (None, "1 minute", "in_doubt"),  # it may still be on its way: not asked yet
    ],
)
async def test_the_provider_is_asked(
    app: App, there: Sent | Unknown | None, age: str, state: str
) -> None:
    made = await doubtful(app, Asked(there=there), arrived=there is not None)
    await settle(made, age=age)
    assert await made.state() == state
    assert ("in_doubt" in await made.open_tasks()) == (state == "in_doubt")
    told = await made.rows("select detail->>'answer' from history where kind = 'message.asked'")
    assert len(told) == (age != "1 minute")


@pytest.mark.parametrize(("there", "state"), [(None, "in_doubt"), (Sent("x"), "sent")])
async def test_after_a_restore_only_what_is_there_counts(
    app: App, there: Sent | None, state: str
) -> None:
    """A backup that is put back must not send again what left since."""
    made = await doubtful(app, Asked(there=there), arrived=False)
    await made.run("update messages set last_class = 'restored'")
    await settle(made)
    assert await made.state() == state


async def test_two_reconcilers_ask_once(app: App) -> None:
    channel = Asked(there=Unknown("busy"))
    made = await doubtful(app, channel)
    await settle(made)
    await settle(made, age=None)
    assert len(channel.asked) == 1


async def test_without_any_declaration_a_person_decides(app: App) -> None:
    made = await doubtful(app, FakeChannel(name="email"), arrived=False)
    assert await settle(made, age="3 hours") == 0
    assert await made.state() == "in_doubt"
    assert await made.open_tasks() == ["in_doubt"]
    await made.turn()
    assert made.channel.sent == []


@pytest.mark.parametrize("arrived", [True, False])
async def test_the_same_key_and_the_same_bytes_arrive_once(app: App, arrived: bool) -> None:
    channel = Keyed(capabilities=KEYED)
    made = await doubtful(app, channel, arrived=arrived)
    before = await made.rows("select payload from frozen")
    await settle(made)
    assert await made.state() == "sent"
    assert await made.stands() == ("active", "wait-1")
    assert [one.idempotency_key for one in channel.sent] == [str(made.message)]
    assert [(one.payload,) for one in channel.sent] == before


@pytest.mark.parametrize("why", ["old", "opted out", "night", "paused", "answered", "held"])
async def test_the_same_key_is_not_used_when_something_forbids_it(app: App, why: str) -> None:
    """It would leave now if it never arrived: every law holds as at the point of no return."""
    channel = Keyed(capabilities=KEYED)
    made = await doubtful(app, channel, arrived=False)
    if why == "opted out":
        async with transaction(app.engine) as conn:
            now = await database_now(conn)
            await stop_person(conn, prospect_id=made.person, reason="opt_out", now=now)
    changes = {
        "paused": "update senders set paused_at = now()",
        "answered": "update enrollments set answered_at = now()",
        "held": "update enrollments set state = 'held'",
    }
    if why == "night":
        await _shut(made)
    elif why in changes:
        await made.run(changes[why])
    await settle(made, age="13 hours" if why == "old" else "1 hour")
    assert channel.sent == []
    assert await made.state() == "in_doubt"


async def _shut(made: Doubtful) -> None:
    """No hour of the sender's is open now."""
    async with transaction(made.app.engine) as conn:
        now = await database_now(conn)
    far = (now.hour + 12) % 24
    hours = f"{far:02d}:00-{far:02d}:30"
    await made.run(
        "update senders set zone = 'UTC',"
        " hours = jsonb_build_object('days', 'mon-sun', 'hours', cast(:h as text))",
        h=hours,
    )


async def test_a_key_that_is_told_nothing_leaves_the_doubt(app: App) -> None:
    made = await doubtful(app, Keyed(capabilities=KEYED))
    made.channel.after.append(Unknown("timeout again"))
    await settle(made)
    assert await made.state() == "in_doubt"
    await settle(made)
    assert await made.state() == "sent"
    assert len(made.channel.sent) == 1


async def test_a_doubt_that_nobody_was_asked_about_becomes_a_task(app: App) -> None:
    """The process died between the outcome and its task."""
    made = await doubtful(app, FakeChannel(name="email"))
    await made.run("delete from tasks")
    async with transaction(app.engine) as conn:
        now = await database_now(conn)
    await reconcile(app, now)
    assert await made.open_tasks() == []  # it may be on its way
    await reconcile(app, now + timedelta(minutes=5))
    await reconcile(app, now + timedelta(minutes=6))
    assert await made.open_tasks() == ["in_doubt"]


async def test_all_that_is_known_is_laid_out(app: App) -> None:
    made = await doubtful(app, Asked(there=Unknown("the folder is not there")))
    await settle(made)
    async with transaction(app.engine) as conn:
        known = await lay_out_doubt(app, conn, made.message)
    assert known is not None
    assert (known["sender"], known["worker"], known["worker_alive"]) == ("kari", "drain", False)
    assert (known["phase"], known["attempt"]) == ("timeout after the final dot", 1)
    assert known["recipient"] == "ola@prospect.example"
    said = " ".join(f"{one['where']}: {one['found']}" for one in known["looked"])
    assert "asked 1 times" in said
    assert "it cannot tell (the folder is not there)" in said
    assert [one["outcome"] for one in known["choices"]] == ["sent", "retry", "abandoned"]
    assert all(one["does"] and one["risks"] and not one["barred"] for one in known["choices"])
    await made.run("update enrollments set state = 'stopped'")
    async with transaction(app.engine) as conn:
        known = await lay_out_doubt(app, conn, made.message)
    assert known is not None
    assert [bool(one["barred"]) for one in known["choices"]] == [False, True, False]


@pytest.mark.parametrize(
    ("outcome", "state"), [("sent", "sent"), ("retry", "retry_wait"), ("abandoned", "abandoned")]
)
async def test_many_are_decided_at_once_and_one_that_cannot_be_is_named(
    app: App, outcome: str, state: str
) -> None:
    made = await doubtful(app, FakeChannel(name="email"))
    rows = await made.rows("select id from tasks where kind = 'in_doubt'")
    async with transaction(app.engine) as conn:
        now = await database_now(conn)
    ids = [made.person, *(task for (task,) in rows)]
    done = await decide_doubts(app, ids, outcome=outcome, by="cli: kari", now=now)
    assert [one.left_alone for one in done] == ["There is no such task.", None]
    assert await made.state() == state
    again = await decide_doubts(app, ids[1:], outcome=outcome, by="cli: kari", now=now)
    assert [one.left_alone for one in again] == ["The task is closed already."]
    by = await made.rows(
        "select detail->>'decided_by' from history where kind = 'task.done' and message_id = :m",
        m=made.message,
    )
    assert by == [("cli: kari",)]


def a_doubt(**values: Any) -> rules.Doubt:
    return rules.Doubt(
        **({"kind": "outreach", "attempt": 1, "age": 900, "first_age": 900} | values)
    )


@pytest.mark.parametrize(
    ("values", "way"),
    [
        ({}, "person"),
        ({"key_seconds": 3600}, "same_key"),
        ({"key_seconds": 1800}, "person"),  # half of its time has gone
        ({"key_seconds": 3600, "first_age": 2000}, "person"),  # the key is of the first attempt
        ({"key_seconds": 3600, "first_age": -5}, "person"),  # a clock that cannot be right
        ({"kind": "call_offer"}, "person"),
        ({"kind": "request"}, "person"),
        ({"kind": "invitation"}, "person"),  # the call is over, or was cancelled
        ({"kind": "invitation", "call": True}, "again"),
        ({"kind": "host_invitation", "call": True}, "again"),
        ({"kind": "invitation", "call": True, "superseded": True}, "person"),
        # Whatever a restore put in doubt may have left in the meantime, long ago.
        ({"kind": "invitation", "call": True, "restored": True}, "person"),
        ({"key_seconds": 3600, "restored": True}, "person"),
        ({"kind": "invitation", "call": True, "attempt": 3}, "person"),
    ],
)
def test_what_may_be_done_by_itself(values: dict[str, Any], way: str) -> None:
    given = {**values}
    if given.pop("call", False):
        given["call_at"] = NOW + timedelta(hours=1)
    assert rules.way(a_doubt(**given), NOW) == way
    if "call_at" in given:
        assert rules.way(a_doubt(**given | {"call_at": NOW}), NOW) == "person"


async def test_the_ages_are_of_the_databases_clock(app: App) -> None:
    """`first_age` is of the first hand-over, however often it was handed over since."""
    made = await doubtful(app, FakeChannel(name="email"))
    await made.age("1 hour")
    async with transaction(app.engine) as conn:
        now = await database_now(conn)
        await conn.execute(
            text(
                "insert into history (at, kind, prospect_id, message_id) values"
                " (:at, 'message.sending', :who, :id)"
            ),
            {"at": now - timedelta(hours=9), "who": made.person, "id": made.message},
        )
        (row,) = await doubts.take(conn, older=60, rest=300, batch=5)
    assert 3590 < row["age"] < 3700
    assert 9 * 3600 - 10 < row["first_age"] < 9 * 3600 + 100


@pytest.mark.parametrize("cancelled", [False, True])
async def test_a_confirmation_in_doubt_is_sent_again_byte_for_byte(
    app: App, cancelled: bool
) -> None:
    """They asked for it; with the same Message-ID, mail programs may drop the second one."""
    channel = FakeChannel(name="email")
    app.channels["email"] = channel
    async with transaction(app.engine) as conn:
        now = await database_now(conn)
        world = await make.world(conn)
        who = await person(conn, app.keys, world, offer=False)
        booked = await book(conn, app.keys, unlock_id=who.unlock, start=TEN, now=now)
    channel.after.extend([Unknown("lost"), Unknown("lost")])
    await drain(app)
    assert [one["state"] for one in await sent_about(app, booked)] == ["in_doubt"] * 2
    if cancelled:
        async with transaction(app.engine) as conn:
            await cancel_booking(conn, app.keys, booking_id=booked, by="prospect", now=now)
        await drain(app)
    async with transaction(app.engine) as conn:
        await conn.execute(
            text(
                "update messages set handed_at = clock_timestamp() - interval '1 hour',"
                " due_at = clock_timestamp() - interval '1 second' where state = 'in_doubt'"
            )
        )
    before = list(channel.sent)
    assert await reconcile(app, now) == (0 if cancelled else 2)
    await drain(app)
    states = [one["state"] for one in await sent_about(app, booked)]
    assert states == (["in_doubt"] * 2 + ["sent"] * 2 if cancelled else ["sent"] * 2)
    again = channel.sent[len(before) :]
    assert sorted(one.payload for one in again) == (
        [] if cancelled else sorted(one.payload for one in before)
    )


async def sent_about(app: App, booking: Any) -> list[dict[str, Any]]:
    async with transaction(app.engine) as conn:
        return await messages_of(conn, booking)
