"""Freezing a batch: what is written, what is missing, and that it is written once."""

import asyncio
import email
import email.policy
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from datetime import date, timedelta
from email.message import EmailMessage
from typing import Any
from uuid import UUID

import pytest
from pydantic import SecretStr
from sqlalchemy import event, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from channels.email.adapter import EmailChannel
from orchestrator.config import Settings
from orchestrator.db import transaction
from orchestrator.flows.prepare import Parts, prepare
from orchestrator.ids import uuid7
from orchestrator.keys import Keys
from orchestrator.models.calls import bookings, hosts
from orchestrator.models.engagement import engagements, unlocks
from orchestrator.models.messages import frozen, links, messages
from orchestrator.models.people import facts, identities, prospects
from orchestrator.rules.outgoing import MessageRow, Missing, Outgoing, Prepared, Unsendable
from orchestrator.store.direct import Statement
from tests import make
from tests.conftest import SECRET

OWN = "https://avtale.example"

PROGRAM = deepcopy(make.PROGRAM)
PROGRAM["tracking"] = {"opens": True, "clicks": True, "except_countries": ["DE"]}
PROGRAM["steps"][0] |= {
    "needs": ["fact.pain"],
    "wordings": {
        "en": {
            "subject": "{{ fact.pain }} at {{ company.name }}?",
            "text": "Hi {{ first_name }}.\n\nSee https://acme.example/x, or {{ page_url }}.",
        },
        "nb": {"subject": "{{ fact.pain }}?", "text": "Hei {{ first_name }}."},
    },
}


@pytest.fixture
def parts(keys: Keys) -> Parts:
    settings = Settings(
        secret_key=SecretStr(SECRET.decode()),
        base_url=OWN,
        organisation="Acme AS",
        postal_address="Storgata 1, 0155 Oslo",
    )
    return Parts(settings, keys, {"email": EmailChannel()})


async def rows_of(conn: AsyncConnection) -> list[MessageRow]:
    found = await conn.execute(select(messages).order_by(messages.c.id))
    return [MessageRow.of(row) for row in found.mappings()]


async def planned(
    conn: AsyncConnection, keys: Keys, made: make.World, *, fact: str = "Paper", **person: Any
) -> UUID:
    """One prospect with a fact and the first message planned: the message's id."""
    owner = await make.prospect(conn, keys, **person)
    if fact:
        await conn.execute(
            facts.insert().values(id=uuid7(), prospect_id=owner, name="pain", value=fact)
        )
    enrolled = await make.enrollment(conn, made, owner, state="sending")
    identity = await conn.scalar(select(identities.c.id).where(identities.c.prospect_id == owner))
    return await make.message(conn, made, owner, enrolled, identity)


def read(outgoing: Outgoing) -> EmailMessage:
    assert isinstance(outgoing, Prepared), outgoing
    parsed = email.message_from_bytes(outgoing.message.payload, policy=email.policy.default)
    assert isinstance(parsed, EmailMessage)
    return parsed


def part(mail: EmailMessage, kind: str) -> str:
    found = mail.get_body((kind,))
    assert found is not None
    return str(found.get_content()).replace("\r\n", "\n")


async def test_a_first_message(engine: AsyncEngine, keys: Keys, parts: Parts) -> None:
    async with transaction(engine) as conn:
        made = await make.world(conn, program=PROGRAM, zone="Europe/Oslo")
        message = await planned(conn, keys, made, address="ola@prospect.example")
        [row] = await rows_of(conn)
        mail = read((await prepare(conn, parts, [row], make.NOW))[message])
        kept = (await conn.execute(select(frozen))).mappings().one()
        followed = list(await conn.scalars(select(links.c.url)))
    assert mail["Subject"] == "Paper at Acme AS?"
    assert mail["To"] == "Ola Hansen <ola@prospect.example>"
    assert mail["Message-ID"] == row.rfc_message_id
    assert mail["Date"] == "Tue, 24 Nov 2026 10:00:00 +0100"
    assert mail["List-Unsubscribe"] == f"<{OWN}/u/{keys.token('unsubscribe', message)}>"
    said = part(mail, "plain")
    page = f"{OWN}/p/{keys.token('page', row.enrollment_id)}"
    assert f"or {page}." in said
    assert "acme.example" not in said.split("-- ")[0]
    assert "Kari Nordmann, Acme AS, Storgata 1, 0155 Oslo" in said
    assert f"/o/{keys.token('open', message)}.gif" in part(mail, "html")
    assert f"/t/{keys.token('trap', message)}" in part(mail, "html")
    assert "/t/" not in said
    assert followed == ["https://acme.example/x"]
    assert kept["text"] == said
    assert kept["recipient"] == "ola@prospect.example"


async def test_a_retry_is_the_same_byte_for_byte(
    engine: AsyncEngine, keys: Keys, parts: Parts
) -> None:
    async with transaction(engine) as conn:
        made = await make.world(conn, program=PROGRAM)
        message = await planned(conn, keys, made)
        rows = await rows_of(conn)
        first = await prepare(conn, parts, rows, make.NOW)
        await conn.execute(update(prospects).values(first_name="Eva"))
    async with transaction(engine) as conn:
        again = await prepare(conn, parts, rows, make.NOW + timedelta(days=1))
        count = await conn.scalar(select(func.count()).select_from(links))
    assert first[message] == again[message]
    assert count == 1


async def test_missing_homework_is_named_and_nothing_is_frozen(
    engine: AsyncEngine, keys: Keys, parts: Parts
) -> None:
    async with transaction(engine) as conn:
        made = await make.world(conn, program=PROGRAM)
        bare = await planned(conn, keys, made, fact="", first_name="")
        whole = await planned(conn, keys, made)
        found = await prepare(conn, parts, await rows_of(conn), make.NOW)
        stored = list(await conn.scalars(select(frozen.c.message_id)))
    assert found[bare] == Missing(("fact.pain", "first_name"))
    assert isinstance(found[whole], Prepared)
    assert stored == [whole]


async def test_language_and_tracking_are_the_prospects(
    engine: AsyncEngine, keys: Keys, parts: Parts
) -> None:
    async with transaction(engine) as conn:
        made = await make.world(conn, program=PROGRAM)
        message = await planned(conn, keys, made, language="nb", country="DE")
        mail = read((await prepare(conn, parts, await rows_of(conn), make.NOW))[message])
    assert mail["Subject"] == "Paper?"
    assert "Jeg skriver til deg" in part(mail, "plain")
    assert "<img" not in part(mail, "html")
    assert "/t/" not in part(mail, "html")


async def mark_sent(conn: AsyncConnection, message: UUID) -> None:
    for state in ("leased", "sending", "sent"):
        await conn.execute(
            update(messages)
            .where(messages.c.id == message)
            .values(state=state, fence=messages.c.fence + (1 if state == "leased" else 0))
        )


async def test_a_follow_up_answers_the_thread(
    engine: AsyncEngine, keys: Keys, parts: Parts
) -> None:
    async with transaction(engine) as conn:
        made = await make.world(conn, program=PROGRAM)
        first = await planned(conn, keys, made)
        [row] = await rows_of(conn)
        await prepare(conn, parts, [row], make.NOW)
        await mark_sent(conn, first)
        assert row.identity_id is not None
        later = await make.message(
            conn, made, row.prospect_id, row.enrollment_id, row.identity_id, step="more",
            thread_of=first,
        )  # fmt: skip
        rows = [one for one in await rows_of(conn) if one.id == later]
        mail = read((await prepare(conn, parts, rows, make.NOW))[later])
    assert mail["Subject"] == "Re: Paper at Acme AS?"
    assert mail["In-Reply-To"] == mail["References"] == row.rfc_message_id


async def test_a_follow_up_without_its_thread_cannot_be_sent(
    engine: AsyncEngine, keys: Keys, parts: Parts
) -> None:
    async with transaction(engine) as conn:
        made = await make.world(conn, program=PROGRAM)
        message = await planned(conn, keys, made)
        await conn.execute(update(messages).values(step="more"))
        found = (await prepare(conn, parts, await rows_of(conn), make.NOW))[message]
    assert isinstance(found, Unsendable)
    assert "subject" in found.reason


@contextmanager
def counting(engine: AsyncEngine) -> Iterator[list[str]]:
    """The statements that are executed meanwhile, by SQLAlchemy or by the driver itself."""
    seen: list[str] = []
    fetch = Statement.fetch

    def note(_c: Any, _u: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    async def noted(self: Statement, *given: Any) -> Any:
        seen.append(str(self))
        return await fetch(self, *given)

    event.listen(engine.sync_engine, "before_cursor_execute", note)
    Statement.fetch = noted  # type: ignore[method-assign]  # as monkeypatch does, for one block
    try:
        yield seen
    finally:
        Statement.fetch = fetch  # type: ignore[method-assign]
        event.remove(engine.sync_engine, "before_cursor_execute", note)


async def test_the_number_of_queries_does_not_grow(
    engine: AsyncEngine, keys: Keys, parts: Parts
) -> None:
    async with transaction(engine) as conn:
        made = await make.world(conn, program=PROGRAM)
        for _ in range(12):
            await planned(conn, keys, made)
        rows = await rows_of(conn)
        await prepare(conn, parts, rows[:1], make.NOW)
        with counting(engine) as one:
            await prepare(conn, parts, rows[1:2], make.NOW)
        with counting(engine) as ten:
            await prepare(conn, parts, rows[2:12], make.NOW)
    # Senders, people (and before and after them, how they are planned), facts, and what is kept.
    assert len(one) == len(ten) == 6


async def test_it_goes_to_the_address_that_it_was_planned_for(
    engine: AsyncEngine, keys: Keys, parts: Parts
) -> None:
    async with transaction(engine) as conn:
        made = await make.world(conn, program=PROGRAM)
        first = await planned(conn, keys, made, address="ola@prospect.example")
        [row] = await rows_of(conn)
        second = await make.identity(conn, keys, row.prospect_id, "ola@second.example")
        others = await planned(conn, keys, made, address="eva@prospect.example")
        theirs = next(one.identity_id for one in await rows_of(conn) if one.id == others)
        kept = await prepare(conn, parts, [row], make.NOW)
        await conn.execute(text("truncate frozen, links"))
        moved = await prepare(conn, parts, [replace(row, identity_id=second)], make.NOW)
        await conn.execute(text("truncate frozen, links"))
        nobodys = await prepare(conn, parts, [replace(row, identity_id=theirs)], make.NOW)
        gone = await prepare(conn, parts, [replace(row, prospect_id=uuid7())], make.NOW)
    assert read(kept[first])["To"] == "Ola Hansen <ola@prospect.example>"
    assert read(moved[first])["To"] == "Ola Hansen <ola@second.example>"
    assert isinstance(nobodys[first], Unsendable)
    assert isinstance(gone[first], Unsendable)


async def test_the_newest_fact_is_said(engine: AsyncEngine, keys: Keys, parts: Parts) -> None:
    async with transaction(engine) as conn:
        made = await make.world(conn, program=PROGRAM)
        message = await planned(conn, keys, made, fact="undated")
        [row] = await rows_of(conn)
        for number, found_on in enumerate([date(2026, 1, 2), date(2026, 3, 4), date(2025, 9, 9)]):
            await conn.execute(
                facts.insert().values(
                    id=uuid7(), prospect_id=row.prospect_id, name="pain", value=f"Fact {number}",
                    found_on=found_on,
                )
            )  # fmt: skip
        mail = read((await prepare(conn, parts, [row], make.NOW))[message])
    assert mail["Subject"] == "Fact 1 at Acme AS?"


async def test_two_processes_that_freeze_at_once_agree(
    engine: AsyncEngine, keys: Keys, parts: Parts
) -> None:
    async with transaction(engine) as conn:
        made = await make.world(conn, program=PROGRAM)
        message = await planned(conn, keys, made)
        rows = await rows_of(conn)

    async def other() -> dict[UUID, Outgoing]:
        async with transaction(engine) as second:
            return await prepare(second, parts, rows, make.NOW + timedelta(hours=1))

    async with transaction(engine) as first:
        one = await prepare(first, parts, rows, make.NOW)
        waiting = asyncio.create_task(other())
        await asyncio.sleep(0.3)
        assert not waiting.done()
    assert one[message] == (await waiting)[message]
    async with transaction(engine) as conn:
        assert await conn.scalar(select(func.count()).select_from(links)) == 1


async def invited(
    conn: AsyncConnection, keys: Keys, made: make.World, parts: Parts
) -> tuple[UUID, MessageRow]:
    """A booking of somebody who was written to and answered: its id, and the first message."""
    first = await planned(conn, keys, made, address="ola@prospect.example", language="nb")
    [row] = await rows_of(conn)
    await prepare(conn, parts, [row], make.NOW)
    await mark_sent(conn, first)
    answer, unlock, booking = uuid7(), uuid7(), uuid7()
    who = {"prospect_id": row.prospect_id, "enrollment_id": row.enrollment_id}
    await conn.execute(
        insert(engagements).values(
            id=answer, kind="reply", grade="human", happened_at=make.NOW, **who
        )
    )
    await conn.execute(
        insert(unlocks).values(
            id=unlock, engagement_id=answer, host_id=made.host, minutes=20, **who
        )
    )
    number, start = await conn.scalar(select(hosts.c.number)), make.NOW + timedelta(days=1)
    await conn.execute(
        insert(bookings).values(
            id=booking,
            unlock_id=unlock,
            prospect_id=row.prospect_id,
            host_id=made.host,
            host_number=number,
            uid="call-1@avtale.example",
            during=Range(start, start + timedelta(minutes=20)),
            busy=Range(start, start + timedelta(minutes=30)),
        )
    )
    return booking, row


async def test_both_sides_get_an_invitation(engine: AsyncEngine, keys: Keys, parts: Parts) -> None:
    async with transaction(engine) as conn:
        made = await make.world(conn, program=PROGRAM)
        booking, first = await invited(conn, keys, made, parts)
        assert first.identity_id is not None
        about = {"booking_id": booking, "channel": "email"}
        ours = await make.message(
            conn, made, first.prospect_id, first.enrollment_id, first.identity_id,
            step=f"booking:{booking}:0:prospect", kind="invitation", thread_of=first.id, **about,
        )  # fmt: skip
        theirs = await make.message(
            conn, made, first.prospect_id, first.enrollment_id, first.identity_id,
            step=f"booking:{booking}:0:host", kind="host_invitation", **about,
        )  # fmt: skip
        rows = [row for row in await rows_of(conn) if row.id != first.id]
        found = await prepare(conn, parts, rows, make.NOW)
        await conn.execute(update(bookings).values(revision=1))
        late = await make.message(
            conn, made, first.prospect_id, first.enrollment_id, first.identity_id,
            step=f"booking:{booking}:0:x", kind="invitation", **about,
        )  # fmt: skip
        rows = [row for row in await rows_of(conn) if row.id == late]
        overtaken = (await prepare(conn, parts, rows, make.NOW))[late]
    mail = read(found[ours])
    assert mail["To"] == "Ola Hansen <ola@prospect.example>"
    assert str(mail["Subject"]).startswith("Avtalt: ")
    assert mail["References"] == first.rfc_message_id
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["List-Unsubscribe"] is None
    assert f"{OWN}/p/" in part(mail, "plain")
    kinds = [one.get_content_type() for one in mail.walk()]
    assert kinds[-4:] == ["text/plain", "text/html", "text/calendar", "application/ics"]
    calendar = next(one for one in mail.walk() if one.get_content_type() == "text/calendar")
    assert calendar.get_param("method") == "REQUEST"
    assert b"UID:call-1@avtale.example" in (calendar.get_payload(decode=True) or b"")
    assert read(found[theirs])["To"] == "Kari Nordmann <kari@sender.example>"
    assert isinstance(overtaken, Unsendable)
