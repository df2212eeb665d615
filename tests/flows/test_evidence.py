"""What settles a doubt, and what does not: each thing that comes back, early, late and forged."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from channels.base import ChannelEvent, EventKind, Unknown
from channels.fake import FakeChannel
from orchestrator.clock import database_now
from orchestrator.db import transaction
from orchestrator.flows.claim import claim
from orchestrator.flows.close_task import close_task
from orchestrator.flows.read_events import read_events
from orchestrator.flows.reconcile import reconcile
from orchestrator.flows.take_event import take_event
from orchestrator.flows.take_events import take_events
from orchestrator.flows.unsubscribe import unsubscribe
from orchestrator.ids import uuid7
from orchestrator.rules.event_json import encode
from orchestrator.rules.opens import Hit
from orchestrator.sender import drain
from orchestrator.store.arrivals import Arrival
from orchestrator.wiring import App
from tests import make
from tests.flows.doubtful import Doubtful, doubtful
from tests.rules.test_mail_reading import mail, report
from tests.seen import note_seen


@pytest.fixture
async def doubt(app: App) -> Doubtful:
    """A message in doubt that arrived."""
    return await doubtful(app, FakeChannel(name="email"))


async def rfc_of(doubt: Doubtful, message: UUID) -> str:
    ((found,),) = await doubt.rows("select rfc_message_id from messages where id = :i", i=message)
    return str(found)


async def tell(doubt: Doubtful, event: ChannelEvent) -> None:
    """A signed event of the sender's provider comes in and is read."""
    app = doubt.app
    arrival = Arrival(
        "test:kari", event.external_id, event.kind, "signed", doubt.world.sender, b"{}",
        {"event": encode(event)},
    )  # fmt: skip
    async with transaction(app.engine) as conn:
        now = await database_now(conn)
        await take_events(conn, [arrival], now=now)
    await read_events(app, now)


async def receive(doubt: Doubtful, raw: bytes) -> None:
    """A mail comes into the sender's mailbox and is read."""
    app = doubt.app
    async with transaction(app.engine) as conn:
        now = await database_now(conn)
        await take_event(
            conn, source="imap:kari", external_id=uuid7().hex, kind="mail", raw=raw,
            detail={"sender": str(doubt.world.sender)}, now=now,
        )  # fmt: skip
    await read_events(app, now)
    assert await doubt.rows("select error from provider_events where error is not null") == []


async def look(doubt: Doubtful, subject: UUID, kind: Any = "open", method: str = "GET") -> None:
    """The pixel or a link is fetched."""
    async with transaction(doubt.app.engine) as conn:
        now = await database_now(conn)
        hit = Hit(method, "GoogleImageProxy")
        await note_seen(conn, doubt.app.keys, kind=kind, subject=subject, hit=hit, now=now)


PROVEN: tuple[EventKind, ...] = (
    *("delivered", "deferred", "opened", "clicked", "read", "reaction", "link_preview"),
    "own_message",
)


@pytest.mark.parametrize("kind", PROVEN)
async def test_what_the_provider_says_of_this_very_message_settles(
    doubt: Doubtful, kind: EventKind
) -> None:
    event = ChannelEvent(kind, "evt-1", rfc_message_id=await rfc_of(doubt, doubt.message))
    await tell(doubt, event)
    assert (await doubt.state(), "in_doubt" in await doubt.open_tasks()) == ("sent", False)
    await tell(doubt, event)  # twice
    told = await doubt.rows("select 1 from history where kind = 'message.sent'")
    assert len(told) == 1
    assert len(doubt.channel.sent) == 1


@pytest.mark.parametrize("kind", ["bounced", "complained", "unsubscribed"])
async def test_a_bad_end_settles_as_well(doubt: Doubtful, kind: EventKind) -> None:
    await tell(doubt, ChannelEvent(kind, "e", message_id=doubt.message, bounce="hard"))
    assert await doubt.state() == "sent"
    assert (await doubt.stands())[0] != "sending"


async def test_an_event_that_names_another_person_settles_nothing(doubt: Doubtful) -> None:
    async with transaction(doubt.app.engine) as conn:
        await make.prospect(conn, doubt.app.keys, address="eva@prospect.example")
    await tell(
        doubt,
        ChannelEvent("bounced", "e", message_id=doubt.message, address="eva@prospect.example"),
    )
    assert await doubt.state() == "in_doubt"


async def test_no_account_speaks_for_another_accounts_messages(doubt: Doubtful) -> None:
    other = uuid7()
    await doubt.run(
        "insert into senders (id, name, channel, address, hours) values"
        " (:id, 'other', 'email', 'o@sender.example', '{}')",
        id=other,
    )
    doubt.world.sender = other
    await tell(doubt, ChannelEvent("delivered", "e", message_id=doubt.message))
    assert await doubt.state() == "in_doubt"


@pytest.mark.parametrize("kind", ["open", "click"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_machines_look_proves_arrival_and_earns_nothing(
    doubt: Doubtful, kind: str, method: str
) -> None:
    link = uuid7()
    await doubt.run(
        "insert into links (id, message_id, url) values (:id, :m, 'https://x.example')",
        id=link,
        m=doubt.message,
    )
    await look(doubt, link if kind == "click" else doubt.message, kind, method)
    assert await doubt.state() == "sent"
    assert await doubt.stands() == ("active", "wait-1")
    assert await doubt.rows("select 1 from unlocks") == []


async def test_the_one_click_unsubscribe_settles(doubt: Doubtful) -> None:
    async with transaction(doubt.app.engine) as conn:
        now = await database_now(conn)
        await unsubscribe(conn, message_id=doubt.message, one_click=True, now=now)
    assert (await doubt.state(), (await doubt.stands())[0]) == ("sent", "stopped")


OLA = "ola@prospect.example"


def _report(action: str, status: str, about: str) -> bytes:
    made = report(action, status)
    assert b"<first@sender.example>" in made
    return made.replace(b"<first@sender.example>", about.encode())


@pytest.mark.parametrize("how", ["reply", "away", "bounce", "delayed", "token", "came back"])
async def test_a_mail_that_names_the_message_settles(doubt: Doubtful, how: str) -> None:
    named = await rfc_of(doubt, doubt.message)
    token = doubt.app.keys.mail_token(doubt.message)
    raw = {
        "reply": lambda: mail("Who are you?", From=OLA, In_Reply_To=named),
        "away": lambda: mail("Away", From=OLA, In_Reply_To=named, Auto_Submitted="auto-replied"),
        "bounce": lambda: _report("failed", "5.1.1", named),
        "delayed": lambda: _report("delayed", "4.4.1", named),
        "token": lambda: mail(
            "Who?", From=OLA, In_Reply_To="", To=f"kari+r.{token}@sender.example"
        ),
        "came back": lambda: mail(
            "Hi", From="kari@sender.example", To=OLA, Message_ID=named, In_Reply_To=""
        ),
    }[how]()
    await receive(doubt, raw)
    await reconcile(doubt.app, await _now(doubt))
    assert await doubt.state() == "sent"


async def _now(doubt: Doubtful) -> Any:
    async with transaction(doubt.app.engine) as conn:
        return await database_now(conn)


@pytest.mark.parametrize("how", ["new mail", "forged token", "forged id", "earlier thread"])
async def test_a_mail_that_names_it_not_settles_nothing(doubt: Doubtful, how: str) -> None:
    """They may be answering anything: only what the message itself carried proves it."""
    forged = doubt.app.keys.mail_token(doubt.message)[:-4] + "aaaa"
    named = await rfc_of(doubt, doubt.message)
    headers = {
        "new mail": {},
        "forged token": {"To": f"kari+r.{forged}@sender.example"},
        "forged id": {"In_Reply_To": named.replace("<", "<x")},
        # A thread that names it before another one: somebody of ours may have put it there.
        "earlier thread": {"References": f"{named} <later@sender.example>"},
    }[how]
    await receive(doubt, mail("Who are you?", **({"From": OLA, "In_Reply_To": ""} | headers)))
    await reconcile(doubt.app, await _now(doubt))
    assert await doubt.state() == "in_doubt"


async def test_an_answer_in_a_colleagues_thread_settles_the_colleagues_message(
    doubt: Doubtful,
) -> None:
    """Two rows of people are never locked out of order: the reconciler does the second one."""
    async with transaction(doubt.app.engine) as conn:
        await make.prospect(conn, doubt.app.keys, address="eva@prospect.example")
    named = await rfc_of(doubt, doubt.message)
    await receive(doubt, mail("Ola sent me this", From="eva@prospect.example", In_Reply_To=named))
    await reconcile(doubt.app, await _now(doubt))
    assert await doubt.state() == "sent"


async def test_what_comes_before_the_doubt_is_kept_for_it(doubt: Doubtful) -> None:
    """The worker is dead, and nobody knows yet: the delivery event comes first."""
    other = await make_sending(doubt)
    doubt.message = other
    await tell(doubt, ChannelEvent("delivered", "early", message_id=other))
    assert await doubt.state() == "sending"
    await doubt.run("update messages set state = 'in_doubt' where id = :id", id=other)
    await reconcile(doubt.app, await _now(doubt))
    assert await doubt.state() == "sent"
    await reconcile(doubt.app, await _now(doubt))


async def make_sending(doubt: Doubtful) -> UUID:
    """Another person's message, past the point of no return."""
    async with transaction(doubt.app.engine) as conn:
        now = await database_now(conn)
        person = await make.prospect(conn, doubt.app.keys)
        await make.enrollment(conn, doubt.world, person, now=now)
    doubt.channel.after.append(Unknown("dropped"))
    await doubt.turn()
    ((other,),) = await doubt.rows(
        "select id from messages where state = 'in_doubt' and id <> :id", id=doubt.message
    )
    # As the sweeper finds it: back to the moment before anybody noticed.
    await doubt.run("alter table messages disable trigger message_transition")
    await doubt.run("update messages set state = 'sending' where id = :id", id=other)
    await doubt.run("alter table messages enable trigger message_transition")
    return UUID(str(other))


async def decide(doubt: Doubtful, outcome: str) -> None:
    ((task,),) = await doubt.rows("select id from tasks where kind = 'in_doubt'")
    async with transaction(doubt.app.engine) as conn:
        now = await database_now(conn)
        await close_task(conn, doubt.app.keys, task_id=task, outcome=outcome, now=now)


@pytest.mark.parametrize("leased", [False, True])
async def test_evidence_after_somebody_chose_to_send_again_stops_that(
    doubt: Doubtful, leased: bool
) -> None:
    """The second copy would leave in a moment, or is with a worker already."""
    await decide(doubt, "retry")
    assert await doubt.state() == "retry_wait"
    if leased:
        (held,) = await claim(doubt.app, await _now(doubt), owner="w", batch=5)
        assert held.row.id == doubt.message
    await tell(doubt, ChannelEvent("delivered", "late", message_id=doubt.message))
    assert await doubt.state() == "sent"
    assert await doubt.stands() == ("active", "wait-1")
    await drain(doubt.app)
    assert len(doubt.channel.sent) == 1


async def test_evidence_after_it_was_given_up_is_kept_and_changes_nothing(
    doubt: Doubtful,
) -> None:
    await decide(doubt, "abandoned")
    await tell(doubt, ChannelEvent("delivered", "late", message_id=doubt.message))
    assert await doubt.state() == "abandoned"
    kept = await doubt.rows("select detail->>'evidence' from history where kind = :k",
                            k="message.evidence")  # fmt: skip
    assert kept == [("delivered",)]


async def test_a_message_that_was_never_handed_over_is_settled_by_nothing(app: App) -> None:
    doubt = await doubtful(app, FakeChannel(name="email"))
    async with transaction(app.engine) as conn:
        now = await database_now(conn)
        person = await make.prospect(conn, app.keys)
        later = await make.enrollment(
            conn, doubt.world, person, now=now, state="sending", due_at=None
        )
        ((mail_of,),) = (
            await conn.exec_driver_sql(f"select id from identities where prospect_id = '{person}'")
        ).all()
        doubt.message = await make.message(
            conn, doubt.world, person, later, mail_of, now=now + timedelta(days=1)
        )
    await tell(doubt, ChannelEvent("delivered", "e", message_id=doubt.message))
    assert await doubt.state() == "pending"
