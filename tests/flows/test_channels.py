"""Sequences over channels, with in-memory channels that do what real ones do."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import insert, text

from channels.base import (
    Account,
    ChannelEvent,
    OutboundMessage,
    RequestPace,
    SendResult,
    Sent,
    Unknown,
)
from channels.fake import FakeChannel
from orchestrator.clock import database_now
from orchestrator.db import transaction
from orchestrator.flows.close_task import close_task
from orchestrator.flows.plan import plan
from orchestrator.flows.poll_channels import poll_channels
from orchestrator.flows.read_events import read_events
from orchestrator.flows.reconcile import reconcile
from orchestrator.flows.take_events import take_events
from orchestrator.ids import uuid7
from orchestrator.models.messages import lanes, senders
from orchestrator.rules.event_json import encode
from orchestrator.sender import drain
from orchestrator.store.arrivals import Arrival
from orchestrator.wiring import App
from tests import make

PACE = RequestPace(daily=20, weekly=100, withdraw_after_days=21, ban_days=21)
HOURS = {"days": "mon-sun", "hours": "00:00-24:00"}


@dataclass
class Network(FakeChannel):
    """A channel where one has to be let in, that can be asked, and worked by hand."""

    name: str = "network"
    manual: bool = False
    pace: RequestPace = PACE
    note_limit: int = 200
    polled: list[ChannelEvent] = field(default_factory=list)
    withdrawn: list[str] = field(default_factory=list)
    there: Sent | Unknown | None = None

    async def send(self, account: Account, message: OutboundMessage, pass_point: Any) -> SendResult:
        result = await super().send(account, message, pass_point)
        if isinstance(result, Sent) and message.request:
            return Sent(request_ref=f"r-{message.recipient}", user_ref=f"u-{message.recipient}")
        if isinstance(result, Sent):
            return Sent(result.provider_ref, thread_ref=f"t-{message.recipient}")
        return result

    def needs_request(self, account: Account) -> bool:
        return not self.manual

    def request_limit(self, account: Account) -> int | None:
        return self.note_limit

    def request_pace(self, account: Account) -> RequestPace:
        return self.pace

    async def withdraw(self, account: Account, request_ref: str) -> bool:
        self.withdrawn.append(request_ref)
        return True

    async def poll(self, account: Account, since: datetime) -> list[ChannelEvent]:
        return self.polled

    async def find(self, account: Account, message: OutboundMessage) -> Sent | Unknown | None:
        return self.there

    def by_hand(self, account: Account) -> bool:
        return self.manual

    def profile_url(self, account: Account, address: str) -> str | None:
        return f"https://network.example/in/{address}"


def program(*channels: str, **wording: Any) -> dict[str, Any]:
    first = make.PROGRAM["steps"][0] | {"channels": list(channels)}
    note = {"note": "Hello {{ first_name }}, may I?"} | wording
    first["wordings"] = {"en": first["wordings"]["en"] | note}
    listen = make.PROGRAM["steps"][3]
    return make.PROGRAM | {"steps": [first | {"next": "listen"}, listen, make.PROGRAM["steps"][4]]}


@dataclass
class Place:
    """One person, two senders, and a sequence over both channels."""

    app: App
    network: Network
    world: make.World
    seat: UUID
    person: UUID
    enrollment: UUID

    async def rows(self, query: str, **values: Any) -> list[Any]:
        async with transaction(self.app.engine) as conn:
            return list((await conn.execute(text(query), values)).all())

    async def now(self) -> datetime:
        async with transaction(self.app.engine) as conn:
            return await database_now(conn)

    async def turn(self) -> None:
        """Plan, send, read, until nothing moves."""
        for _ in range(6):
            now = await self.now()
            async with transaction(self.app.engine) as conn:
                await conn.execute(
                    text(
                        "update enrollments set due_at = now() - interval '1 second'"
                        " where due_at between now() and now() + interval '1 minute'"
                    )
                )
            moved = await plan(self.app, now) + await drain(self.app)
            if not moved + await read_events(self.app, now):
                break

    async def tell(self, event: ChannelEvent, *, trust: str = "signed") -> None:
        arrival = Arrival(
            *("network:seat", event.external_id, event.kind, trust, self.seat, b""),
            {"event": encode(event)},
        )
        async with transaction(self.app.engine) as conn:
            await take_events(conn, [arrival], now=await database_now(conn))
        await read_events(self.app, await self.now())
        await self.turn()

    async def state(self) -> tuple[str, str]:
        ((state, step),) = await self.rows("select state, step from enrollments")
        return state, step


async def place(app: App, *channels: str, network: Network | None = None) -> Place:
    made = network or Network()
    app.channels["network"] = made
    seat = uuid7()
    async with transaction(app.engine) as conn:
        world = await make.world(conn, program=program(*channels))
        await conn.execute(
            insert(senders).values(
                id=seat,
                name="seat",
                channel="network",
                address="kari-nordmann",
                display_name="Kari Nordmann",
                hours=HOURS,
                gap_seconds=0,
                gap_jitter_seconds=0,
            )
        )
        await conn.execute(insert(lanes).values(sender_id=seat))
        owner = await make.prospect(conn, app.keys, address="ola@prospect.example")
        await make.identity(conn, app.keys, owner, "ola-hansen", channel="network")
        now = await database_now(conn)
        enrollment = await make.enrollment(conn, world, owner, now=now)
    return Place(app, made, world, seat, owner, enrollment)


def acceptance(**fields: Any) -> ChannelEvent:
    return ChannelEvent("acceptance", "evt-accept", address="ola-hansen", **fields)


async def test_the_order_of_the_step_decides_and_the_prospects_choice_wins(app: App) -> None:
    made = await place(app, "network", "email")
    async with transaction(app.engine) as conn:
        await conn.execute(text("update prospects set preferred_channel = 'email'"))
    await made.turn()
    assert await made.rows("select kind, channel, state from messages") == [
        ("outreach", "email", "sent")
    ]


async def test_without_an_address_there_the_next_channel_is_taken(app: App) -> None:
    made = await place(app, "network", "email")
    async with transaction(app.engine) as conn:
        await conn.execute(
            text("update identities set state = 'bounced' where channel = 'network'")
        )
    await made.turn()
    assert await made.rows("select channel from messages") == [("email",)]


async def test_the_message_waits_to_be_let_in(app: App) -> None:
    made = await place(app, "network")
    await made.turn()
    assert await made.rows("select kind, step, state from messages") == [
        ("request", "hello:request", "sent")
    ]
    assert made.network.sent[0].request
    assert b"may I?" in made.network.sent[0].payload
    assert await made.state() == ("active", "hello")
    await made.turn()
    assert len(made.network.sent) == 1, "one invitation, and only one"
    await made.tell(acceptance(user_ref="u-ola-hansen"))
    assert await made.rows("select kind, state from messages order by id") == [
        ("request", "sent"),
        ("outreach", "sent"),
    ]
    assert made.network.sent[1].user_ref == "u-ola-hansen"
    assert (await made.state())[1] == "listen"
    # Being let in is not yet an answer: the call stays locked.
    assert await made.rows("select id from unlocks") == []
    assert await made.rows("select kind, grade from engagements") == [("acceptance", "human")]


async def test_an_invitation_that_takes_no_note_goes_without_it(app: App) -> None:
    made = await place(app, "network", network=Network(note_limit=0))
    await made.turn()
    assert await made.rows("select kind, state from messages") == [("request", "sent")]
    assert b"may I?" not in made.network.sent[0].payload


async def test_a_reply_there_unlocks_and_the_offer_goes_there(app: App) -> None:
    made = await place(app, "network", "email")
    await made.turn()
    await made.tell(acceptance())
    said = ChannelEvent(
        "message", "evt-1", address="ola-hansen", text="Yes, that sounds interesting, tell me more!"
    )
    await made.tell(said)
    await made.tell(said)
    assert len(await made.rows("select id from unlocks")) == 1
    offers = await made.rows("select channel, state from messages where kind = 'call_offer'")
    assert offers == [("network", "sent")]
    assert made.network.sent[-1].thread_ref == "t-ola-hansen"


async def test_an_acceptance_that_comes_before_our_own_answer_is_not_lost(app: App) -> None:
    made = await place(app, "network")
    await plan(app, await made.now())
    await made.tell(acceptance())  # the webhook overtakes the settlement of the request
    await made.turn()
    kinds = [kind for (kind,) in await made.rows("select kind from messages order by id")]
    assert kinds == ["request", "outreach"]


async def test_a_polled_acceptance_is_the_same_event(app: App) -> None:
    made = await place(app, "network")
    await made.turn()
    made.network.polled.append(acceptance())
    assert await poll_channels(app, await made.now()) == 1
    assert await poll_channels(app, await made.now()) == 0
    await made.turn()
    assert (await made.state())[1] == "listen"


async def test_declined_is_for_a_person_and_asks_no_second_time(app: App) -> None:
    made = await place(app, "network", "email")
    await made.turn()
    await made.tell(ChannelEvent("declined", "evt-no", address="ola-hansen"))
    assert await made.state() == ("held", "hello")
    assert await made.rows("select kind, title from tasks where state = 'open'") == [
        ("undeliverable", "Not let in on network")
    ]
    assert len(made.network.sent) == 1
    assert not app.channels["email"].sent  # type: ignore[attr-defined]  # silence is no reason


async def test_an_old_invitation_is_withdrawn_and_not_repeated_within_the_ban(app: App) -> None:
    made = await place(app, "network")
    await made.turn()
    now = await made.now()
    assert await poll_channels(app, now + timedelta(days=20)) == 0
    assert made.network.withdrawn == []
    await poll_channels(app, now + timedelta(days=22))
    assert made.network.withdrawn == ["r-ola-hansen"]
    await plan(app, now + timedelta(days=22))
    assert await made.state() == ("held", "hello")
    assert len(made.network.sent) == 1


async def test_invitations_keep_within_the_day(app: App) -> None:
    pace = RequestPace(daily=2, weekly=3, withdraw_after_days=21, ban_days=21)
    made = await place(app, "network", network=Network(pace=pace))
    async with transaction(app.engine) as conn:
        now = await database_now(conn)
        for number in range(4):
            owner = await make.prospect(conn, app.keys)
            await make.identity(conn, app.keys, owner, f"person-{number}", channel="network")
            await make.enrollment(conn, made.world, owner, now=now)
    await made.turn()
    assert len(made.network.sent) == 2
    assert await made.rows(
        "select count(*) from messages where last_class = 'request_cap' and state = 'pending'"
    ) == [(3,)]


async def test_by_hand_is_a_task_with_the_text_and_goes_on_when_done(app: App) -> None:
    made = await place(app, "network", network=Network(manual=True))
    await made.turn()
    ((task, detail),) = await made.rows("select id, detail from tasks where state = 'open'")
    assert detail["text"] == "A short hello."
    assert detail["profile"] == "https://network.example/in/ola-hansen"
    async with transaction(app.engine) as conn:
        now = await database_now(conn)
        await close_task(conn, app.keys, task_id=task, outcome="done", now=now)
    await made.turn()
    assert (await made.state())[1] == "listen"
    assert made.network.sent == []


async def test_a_weak_source_stops_and_never_unlocks(app: App) -> None:
    made = await place(app, "network")
    await made.turn()
    await made.tell(acceptance())
    forged = ChannelEvent("message", "evt-f", address="ola-hansen", text="Yes, tell me more!")
    await made.tell(forged, trust="weak")
    assert await made.rows("select id from unlocks") == []
    assert (await made.state())[0] == "held"
    stop = ChannelEvent("button", "evt-s", address="ola-hansen", choice="never")
    await made.tell(stop, trust="weak")
    assert await made.rows("select opted_out_at is not null from prospects") == [(True,)]


@pytest.mark.parametrize(
    ("event", "outcome"),
    [
        ({"kind": "button", "choice": "more"}, "unlocked"),
        ({"kind": "button", "choice": "never"}, "opted out"),
        ({"kind": "button", "choice": "later"}, "resting"),
        ({"kind": "reaction", "detail": {"reaction": "thumbsup"}}, "unlocked"),
        ({"kind": "read"}, "nothing"),
        ({"kind": "link_preview"}, "nothing"),
        ({"kind": "own_message", "text": "Yes, tell me more!"}, "nothing"),
        ({"kind": "unknown"}, "nothing"),
        ({"kind": "complained"}, "opted out"),
        ({"kind": "unsubscribed"}, "opted out"),
        ({"kind": "bounced", "bounce": "hard"}, "bounced"),
        ({"kind": "bounced", "bounce": "transient"}, "nothing"),
    ],
)
async def test_what_each_event_does(app: App, event: Mapping[str, Any], outcome: str) -> None:
    made = await place(app, "network")
    await made.turn()
    await made.tell(acceptance())
    await made.tell(ChannelEvent(external_id="evt-x", address="ola-hansen", **event))
    ((unlocked, out, resting, bounced),) = await made.rows(
        "select exists (select 1 from unlocks), p.opted_out_at is not null,"
        " p.not_before is not null, exists (select 1 from identities where state = 'bounced')"
        " from prospects p"
    )
    found = {"unlocked": unlocked, "opted out": out, "resting": resting, "bounced": bounced}
    assert {name for name, true in found.items() if true} == {outcome} - {"nothing"}


async def test_an_account_that_is_ill_pauses_and_comes_back(app: App) -> None:
    made = await place(app, "network")
    ill = ChannelEvent("account", "evt-ill", account_ok=False, text="token revoked")
    await made.tell(ill)
    ((reason,),) = await made.rows("select pause_reason from senders where name = 'seat'")
    assert "token revoked" in reason
    assert made.network.sent == []
    await made.tell(ChannelEvent("account", "evt-well", account_ok=True))
    assert len(made.network.sent) == 1


@pytest.mark.parametrize(
    ("there", "state"),
    [(Sent("x"), "sent"), (None, "retry_wait"), (Unknown("busy"), "in_doubt")],
)
async def test_what_is_in_doubt_is_asked_about(
    app: App, there: Sent | Unknown | None, state: str
) -> None:
    made = await place(app, "network", network=Network(there=there))
    await made.turn()
    made.network.after.append(Unknown("timeout"))
    await made.tell(acceptance())
    assert await made.rows("select state from messages where kind = 'outreach'") == [("in_doubt",)]
    async with transaction(app.engine) as conn:
        await conn.execute(text("update messages set handed_at = now() - interval '1 hour',"
                                " due_at = now() - interval '1 hour'"))  # fmt: skip
    await reconcile(app, await made.now())
    assert await made.rows("select state from messages where kind = 'outreach'") == [(state,)]
    if state == "sent":
        assert (await made.state())[1] == "listen"


@pytest.mark.parametrize(("outcome", "kinds"), [("sent", ["request"]), ("abandoned", ["request"])])
async def test_a_person_settles_the_doubt_about_an_invitation(
    app: App, outcome: str, kinds: list[str]
) -> None:
    """The step's own message is not skipped: it waits to be let in, or for a person."""
    made = await place(app, "network")
    made.network.after.append(Unknown("timeout"))
    await made.turn()
    ((task,),) = await made.rows("select id from tasks where kind = 'in_doubt' and state = 'open'")
    async with transaction(app.engine) as conn:
        now = await database_now(conn)
        await close_task(conn, app.keys, task_id=task, outcome=outcome, now=now)
    await made.turn()
    assert [kind for (kind,) in await made.rows("select kind from messages")] == kinds
    assert (await made.state())[1] == "hello"


async def test_notes_are_counted_by_the_month(app: App) -> None:
    pace = RequestPace(daily=20, weekly=100, withdraw_after_days=21, ban_days=21, notes_monthly=2)
    made = await place(app, "network", network=Network(pace=pace))
    async with transaction(app.engine) as conn:
        now = await database_now(conn)
        for number in range(3):
            owner = await make.prospect(conn, app.keys)
            await make.identity(conn, app.keys, owner, f"person-{number}", channel="network")
            await make.enrollment(conn, made.world, owner, now=now)
    await made.turn()
    said = [b"may I?" in one.payload for one in made.network.sent]
    assert sorted(said) == [False, False, True, True]


async def test_whoever_is_connected_already_needs_no_invitation(app: App) -> None:
    class Connected(Network):
        async def send(
            self, account: Account, message: OutboundMessage, pass_point: Any
        ) -> SendResult:
            result = await super().send(account, message, pass_point)
            connected = message.request and isinstance(result, Sent)
            return Sent(connected=True) if connected else result

    made = await place(app, "network", network=Connected())
    await made.turn()
    kinds = [kind for (kind,) in await made.rows("select kind from messages order by id")]
    assert kinds == ["request", "outreach"]


async def test_a_message_whose_writer_is_unclear_unlocks_nothing(app: App) -> None:
    """L1: it may be our own user who wrote by hand."""
    made = await place(app, "network")
    await made.turn()
    await made.tell(acceptance())
    await made.tell(
        ChannelEvent(
            *("message", "evt-w"),
            address="ola-hansen",
            text="Yes, tell me more!",
            detail={"writer": "unclear"},
        )
    )
    assert await made.rows("select id from unlocks") == []
    assert (await made.state())[0] == "held"


@pytest.mark.parametrize(
    ("user", "words", "unlocks", "state"),
    [
        ("u-ola-hansen", "Yes, tell me more!", 1, None),
        ("u-eva", "Yes, tell me more!", 0, "held"),
        ("u-eva", "Stop writing to us.", 0, "stopped"),
    ],
)
async def test_somebody_else_in_their_conversation_unlocks_nothing(
    app: App, user: str, words: str, unlocks: int, state: str | None
) -> None:
    """L1: in a shared channel others answer, too. A wish to stop holds whoever says it (L4)."""
    made = await place(app, "network")
    await made.turn()
    await made.tell(acceptance(user_ref="u-ola-hansen", thread_ref="t-ola-hansen"))
    told = ChannelEvent("message", "evt-w", user_ref=user, thread_ref="t-ola-hansen", text=words)
    await made.tell(told)
    assert len(await made.rows("select id from unlocks")) == unlocks
    assert state is None or (await made.state())[0] == state


async def test_a_reaction_of_an_unknown_user_to_our_message_unlocks_nothing(app: App) -> None:
    made = await place(app, "network")
    await made.turn()
    await made.tell(acceptance(user_ref="u-ola-hansen", thread_ref="t-ola-hansen"))
    ((message,),) = await made.rows("select id from messages where kind = 'outreach'")
    detail = {"reaction": "eyes"}
    who = {"user_ref": "u-eva", "address": "eva-berg"}
    await made.tell(ChannelEvent("reaction", "evt-r", message_id=message, detail=detail, **who))
    assert await made.rows("select id from unlocks") == []
    assert (await made.state())[0] == "held"
