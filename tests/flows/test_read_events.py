"""From stored mail to engagements, on a real database."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from asyncpg import PostgresError
from sqlalchemy import insert, text, update
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from orchestrator.config import Settings
from orchestrator.db import transaction
from orchestrator.flows import read_events as reader
from orchestrator.flows.close_task import close_task
from orchestrator.flows.read_events import ATTEMPTS, read_events
from orchestrator.flows.take_event import take_event
from orchestrator.ids import uuid7
from orchestrator.keys import Keys
from orchestrator.models.calls import bookings, hosts
from orchestrator.models.engagement import engagements, provider_events, unlocks
from orchestrator.models.messages import frozen, messages
from orchestrator.models.people import identities, prospects, suppressions
from orchestrator.models.sequences import enrollments
from orchestrator.models.work import tasks
from orchestrator.store.direct import Statement
from orchestrator.wiring import App, make_redis
from tests import make
from tests.flows.coming import all_of, email_of, person, row_of, say
from tests.make import NOW
from tests.rules.test_mail_reading import feedback, mail, report


@pytest.fixture
async def app(engine: AsyncEngine, keys: Keys) -> AsyncIterator[App]:
    """An App without Redis: reading needs none."""
    made = App(Settings(), engine, keys, {}, make_redis("redis://127.0.0.1:1"))
    yield made
    await made.redis.aclose()


async def left(conn: AsyncConnection, message: UUID) -> None:
    """Let a message be sent, as the sender does."""
    for state in ("leased", "sending", "sent"):
        fence = {"fence": 1} if state == "leased" else {}
        await conn.execute(
            update(messages)
            .where(messages.c.id == message)
            .values(state=state, handed_at=NOW, **fence)
        )


async def booked(conn: AsyncConnection, scene: "Scene") -> UUID:
    """A booking of the scene's prospect, with the answer and the unlock that it needs."""
    await say(conn, scene.app.keys, scene.who, "interested")
    (unlock,) = await all_of(conn, unlocks)
    (host,) = await all_of(conn, hosts)
    made = uuid7()
    at = Range(NOW + timedelta(days=1), NOW + timedelta(days=1, minutes=20))
    await conn.execute(
        insert(bookings).values(
            id=made,
            unlock_id=unlock["id"],
            prospect_id=scene.who,
            host_id=host["id"],
            host_number=host["number"],
            during=at,
            busy=at,
            uid=f"{made}@sender.example",
        )
    )
    return made


class Scene:
    """A prospect who has our first mail, and who waits in the sequence."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.world: make.World
        self.who = self.enrolled = self.message = UUID(int=0)

    async def set(self, address: str = "ola@acme.example") -> "Scene":
        async with transaction(self.app.engine) as conn:
            self.world = await make.world(conn)
            await self.add(conn, address)
        return self

    async def add(self, conn: AsyncConnection, address: str, **values: Any) -> None:
        who, enrolled, message = await person(
            conn, self.app.keys, self.world, address=address, **values
        )
        await left(conn, message)
        await conn.execute(
            update(enrollments)
            .where(enrollments.c.id == enrolled)
            .values(state="active", step="wait-1", due_at=NOW)
        )
        self.who, self.enrolled, self.message = who, enrolled, message

    @property
    def answers(self) -> dict[str, str]:
        """Headers of an answer to our mail."""
        return {"In_Reply_To": f"<{self.message.hex}@sender.example>"}

    async def take(self, raw: bytes, **detail: Any) -> UUID:
        async with transaction(self.app.engine) as conn:
            taken = await take_event(
                conn,
                source="mail",
                external_id=str(uuid7()),
                kind="mail",
                raw=raw,
                detail=detail,
                now=NOW,
            )
        assert taken is not None
        return taken

    async def read(self, raw: bytes, **detail: Any) -> dict[str, Any]:
        """Take, read, and say what became of it."""
        taken = await self.take(raw, **detail)
        await read_events(self.app, NOW)
        async with transaction(self.app.engine) as conn:
            return dict(await row_of(conn, provider_events, taken))

    async def engagements(self) -> list[tuple[str, str, str | None]]:
        async with transaction(self.app.engine) as conn:
            rows = await all_of(conn, engagements)
        return [(row["kind"], row["grade"], row["meaning"]) for row in rows]

    async def state(self) -> str:
        async with transaction(self.app.engine) as conn:
            return str((await row_of(conn, enrollments, self.enrolled))["state"])


@pytest.fixture
async def scene(app: App) -> Scene:
    """The scene, set."""
    return await Scene(app).set()


async def test_an_answer_unlocks_the_call(scene: Scene) -> None:
    event = await scene.read(mail("Yes, tell me more.", **scene.answers))
    assert (event["state"], event["prospect_id"]) == ("handled", scene.who)
    assert event["message_id"] == scene.message
    assert await scene.engagements() == [("reply", "human", "interested")]
    async with transaction(scene.app.engine) as conn:
        assert len(await all_of(conn, unlocks)) == 1
        assert (await row_of(conn, enrollments, scene.enrolled))["step"] == "offer"


async def test_an_address_token_finds_the_message(scene: Scene) -> None:
    token = scene.app.keys.mail_token(scene.message)
    raw = mail(
        "Nei takk",
        From="Ola Hansen <x@else.example>",
        To=f"kari+r.{token}@sender.example",
        In_Reply_To="",
    )
    event = await scene.read(raw)
    assert event["detail"]["matched_by"] == "address token; their name on another address"
    assert await scene.engagements() == [("reply", "human", "no")]


async def test_a_new_mail_to_the_sender_by_whom_we_wrote_to_is_an_answer(scene: Scene) -> None:
    event = await scene.read(mail("Ja takk", In_Reply_To=""))
    assert (event["state"], event["detail"]["matched_by"]) == ("handled", "sender")
    assert await scene.engagements() == [("reply", "human", "interested")]


async def test_strangers_are_kept_and_shown(scene: Scene) -> None:
    event = await scene.read(mail(From="who@ever.example", In_Reply_To=""))
    assert (event["state"], event["prospect_id"]) == ("unmatched", None)
    assert await scene.engagements() == []
    assert await scene.state() == "active"


async def test_b16_two_people_in_one_thread_are_not_merged(scene: Scene) -> None:
    first = (scene.who, scene.enrolled, scene.answers)
    async with transaction(scene.app.engine) as conn:
        await scene.add(conn, "per@acme.example")
    await scene.read(mail("Ja gjerne", From="per@acme.example", **first[2]))
    async with transaction(scene.app.engine) as conn:
        rows = await all_of(conn, engagements)
        [own] = [row for row in rows if row["prospect_id"] == scene.who]
        [beside] = [row for row in rows if row["prospect_id"] == first[0]]
        assert (own["grade"], own["meaning"]) == ("human", "interested")
        assert (beside["kind"], beside["grade"]) == ("mail", "ambiguous")
        assert own["prospect_id"] != beside["prospect_id"]
        assert [row["prospect_id"] for row in await all_of(conn, unlocks)] == [scene.who]
        assert (await row_of(conn, enrollments, first[1]))["state"] == "held"
        assert (await row_of(conn, enrollments, first[1]))["step"] == "wait-1"


OLA = "Ola Hansen <ola.hansen@elsewhere.example>"


@pytest.mark.parametrize("sender", ["ola+ny@acme.example", OLA, "OHansen@mail.acme.example"])
async def test_an_answer_from_another_address_of_theirs_counts_for_them(
    scene: Scene, sender: str
) -> None:
    await scene.read(mail("Yes, tell me more.", From=sender, **scene.answers))
    assert await scene.engagements() == [("reply", "human", "interested")]


@pytest.mark.parametrize(
    ("sender", "told"),
    [
        ("Kari Lie <frontdesk@acme.example>", "a colleague answered"),
        ("Ola <who@ever.example>", "an address that nobody knows"),
    ],
)
async def test_who_is_somebody_else_unlocks_nothing_and_holds_everything(
    scene: Scene, sender: str, told: str
) -> None:
    await scene.read(mail("Yes, tell me more.", From=sender, **scene.answers))
    assert await scene.engagements() == [("mail", "ambiguous", None)]
    assert await scene.state() == "held"
    async with transaction(scene.app.engine) as conn:
        assert await all_of(conn, unlocks) == []
        [task] = await all_of(conn, tasks)
        assert (task["kind"], task["state"]) == ("unclear_answer", "open")
        assert told in task["title"]
        # One of us reads it, and says that it was for them.
        await close_task(conn, scene.app.keys, task_id=task["id"], outcome="interested", now=NOW)
        assert len(await all_of(conn, unlocks)) == 1


@pytest.mark.parametrize("sender", ["Kari <frontdesk@acme.example>", "who@ever.example"])
async def test_a_stop_holds_whoever_says_it(scene: Scene, sender: str) -> None:
    await scene.read(mail("Please remove me from your list", From=sender, **scene.answers))
    async with transaction(scene.app.engine) as conn:
        assert (await row_of(conn, prospects, scene.who))["opted_out_at"] == NOW


async def test_an_automatic_answer_from_another_address_stays_one(scene: Scene) -> None:
    headers = {"Auto_Submitted": "auto-replied", "From": "robot@acme.example"}
    await scene.read(mail("We got your mail.", **scene.answers, **headers))
    assert await scene.engagements() == [("auto_reply", "machine", None)]
    assert await scene.state() == "active"


@pytest.mark.parametrize(
    ("headers", "kind", "grade"),
    [
        ({"Auto_Submitted": "auto-replied"}, "auto_reply", "machine"),
        ({"Return_Path": "<>"}, "mail", "ambiguous"),
    ],
)
async def test_machines_unlock_nothing(
    scene: Scene, headers: dict[str, str], kind: str, grade: str
) -> None:
    for _ in range(3):
        await scene.read(mail("Yes, tell me more.", **scene.answers, **headers))
    assert await scene.engagements() == [(kind, grade, None)] * 3
    assert await scene.state() == ("active" if grade == "machine" else "held")
    async with transaction(scene.app.engine) as conn:
        assert await all_of(conn, unlocks) == []


async def test_our_own_follow_up_is_no_answer(scene: Scene) -> None:
    event = await scene.read(mail(From="kari@sender.example", **scene.answers))
    assert (event["state"], event["detail"]["read_as"]) == ("handled", "own")
    raw = mail(From="alias@sender.example", Message_ID=f"<{scene.message.hex}@sender.example>")
    assert (await scene.read(raw))["detail"]["read_as"] == "own"
    assert await scene.engagements() == []


async def test_a_stop_opts_the_person_out(scene: Scene) -> None:
    await scene.read(mail("Please remove me from your list", **scene.answers))
    async with transaction(scene.app.engine) as conn:
        assert (await row_of(conn, prospects, scene.who))["opted_out_at"] == NOW


async def test_our_own_quoted_footer_is_no_stop(scene: Scene) -> None:
    text = "Hello there, Ola\nUnsubscribe: https://a.example/u/x"
    async with transaction(scene.app.engine) as conn:
        await conn.execute(
            insert(frozen).values(
                message_id=scene.message,
                recipient="ola@acme.example",
                text=text,
                payload=b"x",
                sha256=b"x",
            )
        )
    await scene.read(mail(f"Yes, tell me more.\n\n{text}\n", **scene.answers))
    assert await scene.engagements() == [("reply", "human", "interested")]


async def test_a_hard_bounce_suppresses_the_address(scene: Scene) -> None:
    own = f"{scene.message.hex}@sender.example".encode()
    raw = report("failed", "5.1.1").replace(b"first@sender.example", own)
    await scene.read(raw)
    assert await scene.engagements() == [("bounce", "machine", None)]
    async with transaction(scene.app.engine) as conn:
        address = await row_of(conn, identities, await email_of(conn, scene.who))
        assert address["state"] == "bounced"
        assert [row["scope"] for row in await all_of(conn, suppressions)] == ["address"]
        row = await row_of(conn, enrollments, scene.enrolled)
        assert (row["state"], row["stop_reason"]) == ("stopped", "undeliverable")


async def test_a_delay_suppresses_nothing(scene: Scene) -> None:
    await scene.read(report("delayed", "4.4.1"))
    assert await scene.engagements() == [("delayed", "machine", None)]
    assert await scene.state() == "active"


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("5.7.1", "rejected for policy reasons"),
        ("5.2.2", "mailbox is full"),
        ("4.4.7", "message expired"),
        ("5.0.0", "something unheard of"),
    ],
)
async def test_a_bounce_that_is_not_hard_suppresses_nothing(
    scene: Scene, status: str, said: str
) -> None:
    own = f"{scene.message.hex}@sender.example".encode()
    await scene.read(report("failed", status, said).replace(b"first@sender.example", own))
    assert await scene.engagements() == [("bounce", "machine", None)]
    async with transaction(scene.app.engine) as conn:
        assert await all_of(conn, suppressions) == []


@pytest.mark.parametrize(
    ("kind", "scopes", "state"),
    [("abuse", ["person"], "stopped"), ("auth-failure", [], "active")],
)
async def test_a_complaint_suppresses_the_person_and_a_dmarc_report_nobody(
    scene: Scene, kind: str, scopes: list[str], state: str
) -> None:
    await scene.read(feedback(kind, f"{scene.message.hex}@sender.example"))
    async with transaction(scene.app.engine) as conn:
        assert sorted(row["scope"] for row in await all_of(conn, suppressions)) == scopes
    assert await scene.state() == state


async def test_a_bounce_of_whom_it_was_forwarded_to_leaves_the_other_alone(scene: Scene) -> None:
    first, first_enrolled, message = scene.who, scene.enrolled, scene.message
    async with transaction(scene.app.engine) as conn:
        await scene.add(conn, "eva@acme.example")
    own = f"{message.hex}@sender.example".encode()
    raw = report("failed", "5.1.1").replace(b"first@sender.example", own)
    await scene.read(raw.replace(b"ola@acme.example", b"eva@acme.example"))
    async with transaction(scene.app.engine) as conn:
        for who, state in ((first, "usable"), (scene.who, "bounced")):
            assert (await row_of(conn, identities, await email_of(conn, who)))["state"] == state
        assert (await row_of(conn, enrollments, first_enrolled))["state"] == "active"
    assert await scene.state() == "stopped"


async def test_an_answer_that_calls_itself_by_our_name_is_not_lost(scene: Scene) -> None:
    ours = f"<{scene.message.hex}@sender.example>"
    await scene.read(mail("Please stop writing to me.", Message_ID=ours, **scene.answers))
    assert await scene.state() == "stopped"


async def test_reports_count_in_a_mailbox_that_nobody_writes_from(scene: Scene) -> None:
    """Their Message-ID is a relay's, and they come to the address of a feedback loop."""
    hidden = feedback("abuse", "010001-not-ours@relay.example").replace(
        b"Subject: complaint", b"To: fbl@sender.example\nSubject: complaint"
    )
    await scene.read(hidden)
    async with transaction(scene.app.engine) as conn:
        assert [row["scope"] for row in await all_of(conn, suppressions)] == ["person"]
    assert await scene.state() == "stopped"


async def test_a_complaint_that_hides_whom_it_is_by_is_known_by_our_token(scene: Scene) -> None:
    token = scene.app.keys.mail_token(scene.message)
    hidden = (
        feedback("abuse", "010001-not-ours@relay.example")
        .replace(b"Original-Rcpt-To: <ola@acme.example>\n", b"")
        .replace(b"\nx\n", f"Reply-To: <kari+r.{token}@sender.example>\n\nx\n".encode(), 1)
        .replace(b"relay.example>\n\nReply-To", b"relay.example>\nReply-To")
    )
    await scene.read(hidden)
    assert await scene.state() == "stopped"


@pytest.mark.parametrize("text", ["", "Sent from my iPhone", "Best regards\nOla"])
async def test_a_stop_in_the_subject_alone_is_a_stop(scene: Scene, text: str) -> None:
    await scene.read(mail(text, Subject="Unsubscribe", **scene.answers))
    async with transaction(scene.app.engine) as conn:
        assert (await row_of(conn, prospects, scene.who))["opted_out_at"] is not None


async def test_our_own_subject_is_no_stop_of_theirs(scene: Scene) -> None:
    async with transaction(scene.app.engine) as conn:
        await conn.execute(
            insert(frozen).values(
                message_id=scene.message,
                recipient="ola@acme.example",
                subject="Stop the spam",
                text="Hello there",
                payload=b"x",
                sha256=b"x",
            )
        )
    await scene.read(mail("Hm.", Subject="Stop the spam", **scene.answers))
    await scene.read(mail("Hm.", Subject="Re: Stop the spam", **scene.answers))
    async with transaction(scene.app.engine) as conn:
        assert (await row_of(conn, prospects, scene.who))["opted_out_at"] is None
    assert await scene.state() == "held"


async def test_who_invites_us_holds_the_sequence_until_it_is_read(scene: Scene) -> None:
    invitation = mail("BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\n", **scene.answers).replace(
        b"text/plain", b"text/calendar"
    )
    await scene.read(invitation)
    assert await scene.engagements() == [("mail", "ambiguous", None)]
    assert await scene.state() == "held"


async def test_something_that_came_back_settles_a_doubt(scene: Scene) -> None:
    async with transaction(scene.app.engine) as conn:
        await scene.add(conn, "eva@acme.example")
        later = await make.message(
            conn,
            scene.world,
            scene.who,
            scene.enrolled,
            await email_of(conn, scene.who),
            step="more",
        )
        await conn.execute(
            update(enrollments)
            .where(enrollments.c.id == scene.enrolled)
            .values(state="sending", step="more", due_at=None)
        )
        for state in ("leased", "sending", "in_doubt"):
            await conn.execute(
                update(messages)
                .where(messages.c.id == later)
                .values(state=state, fence=1, handed_at=NOW)
            )
    away = mail(
        "Away", From="eva@acme.example", In_Reply_To=f"<{later.hex}@sender.example>",
        Auto_Submitted="auto-replied",
    )  # fmt: skip
    await scene.read(away)
    async with transaction(scene.app.engine) as conn:
        assert (await row_of(conn, messages, later))["state"] == "sent"
        row = await row_of(conn, enrollments, scene.enrolled)
        assert (row["state"], row["step"]) == ("active", "listen")


async def test_poisoned_mail_fails_alone_and_rests(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = reader.handle_mail

    async def poisoned(conn: AsyncConnection, keys: Keys, event: Any, now: Any) -> None:
        await real(conn, keys, event, now)
        if b"poison" in event["raw"]:
            raise ValueError("poison")

    monkeypatch.setattr(reader, "handle_mail", poisoned)
    bad = await scene.take(mail("Yes, poison", **scene.answers))
    good = await scene.take(mail("Nei takk", **scene.answers))
    rounds = [await read_events(scene.app, NOW) for _ in range(ATTEMPTS + 1)]
    assert rounds == [1] + [0] * ATTEMPTS
    async with transaction(scene.app.engine) as conn:
        row = await row_of(conn, provider_events, bad)
        assert (row["state"], row["attempt"]) == ("failed", ATTEMPTS)
        assert row["error"] == "ValueError: poison"
        assert (await row_of(conn, provider_events, good))["state"] == "handled"
    assert await scene.engagements() == [("reply", "human", "no")]


async def test_the_same_event_is_taken_once(engine: AsyncEngine) -> None:
    event: dict[str, Any] = {
        "source": "imap:kari", "external_id": "1:2", "kind": "mail", "raw": b"x", "detail": {},
    }  # fmt: skip
    async with transaction(engine) as conn:
        assert await take_event(conn, **event, now=NOW) is not None
        assert await take_event(conn, **event, now=NOW) is None


async def test_what_a_host_writes_is_no_answer_of_the_prospect(scene: Scene) -> None:
    """L1: a host who answers in the thread from a mailbox that is no sender is one of us."""
    async with transaction(scene.app.engine) as conn:
        await conn.execute(update(hosts).values(email="Per@Ours.example"))
    raw = mail("Yes, tell me more.", From="Per <per@ours.example>", **scene.answers)
    event = await scene.read(raw)
    assert (event["state"], event["detail"]["read_as"]) == ("handled", "own")
    assert await scene.engagements() == []


async def test_an_answer_to_the_hosts_copy_is_no_answer_of_the_prospect(scene: Scene) -> None:
    """L1: the host's copy of an invitation goes to one of us, whatever address they answer from."""
    async with transaction(scene.app.engine) as conn:
        await conn.execute(
            update(messages)
            .where(messages.c.id == scene.message)
            .values(kind="host_invitation", booking_id=await booked(conn, scene))
        )
    raw = mail("Yes, tell me more.", From="per@elsewhere.example", **scene.answers)
    event = await scene.read(raw)
    assert event["state"] == "unmatched"
    assert await scene.engagements() == [("reply", "human", "interested")]  # what earned the call


@pytest.mark.parametrize("direct", [False, True], ids=["sqlalchemy", "driver"])
async def test_a_passing_trouble_of_the_database_gives_no_answer_up(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, direct: bool
) -> None:
    """L3: five deadlocks in a row are no reason to leave a no unread, whoever tells of them."""
    words = "do $$ begin raise exception 'x' using errcode = '40P01'; end $$"

    async def deadlocked(conn: AsyncConnection, *_: Any) -> None:
        await (Statement(words).fetch(conn, {}) if direct else conn.execute(text(words)))

    taken = await scene.take(mail("Please remove me from your list", **scene.answers))
    with monkeypatch.context() as patch:
        patch.setattr(reader, "handle_mail", deadlocked)
        for _ in range(ATTEMPTS + 1):
            with pytest.raises(PostgresError if direct else DBAPIError):
                await read_events(scene.app, NOW)
    await read_events(scene.app, NOW)
    async with transaction(scene.app.engine) as conn:
        assert (await row_of(conn, provider_events, taken))["state"] == "handled"
        assert (await row_of(conn, prospects, scene.who))["opted_out_at"] is not None
