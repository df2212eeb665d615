"""Must show 3: genuine mail through Postfix and Dovecot, and what genuinely comes back."""

import smtplib
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from orchestrator.db import transaction
from orchestrator.keys import Keys
from tests import make
from tests.faults.harness import SECRET, Town, town
from tests.system import mailservers
from tests.system.mailservers import PASSWORD, MailServers

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(not mailservers.available(), reason="needs root, Postfix and Dovecot"),
]

PEOPLE = ("ola@prospect.example", "away@prospect.example", "gone@prospect.example")


@pytest.fixture(scope="module")
def mail() -> Iterator[MailServers]:
    with mailservers.mail_servers() as servers:
        servers.vacation("away@prospect.example", "Jeg er bortreist til 7. desember.")
        yield servers


@pytest.fixture(scope="module")
def place(mail: MailServers) -> Iterator[Town]:
    """A worker that sends by Postfix, reads by IMAP, and has three people to write to."""
    with town(AVTALE_BASE_URL="https://avtale.example") as made:
        made.with_engine(lambda engine: fill(engine, mail))
        made.start("worker")
        made.wait(lambda: made.states()["sent"] == len(PEOPLE), seconds=60, what="sending")
        yield made


async def fill(engine: AsyncEngine, mail: MailServers) -> None:
    keys = Keys(SECRET.encode())
    server = {"host": "127.0.0.1", "security": "plain_without_encryption"}
    imap = server | {"port": mail.imap, "username": "kari@sender.example", "folder": "INBOX"}
    async with transaction(engine) as conn:
        made = await make.world(
            conn,
            settings=server | {"port": mail.smtp, "imap": imap},
            secrets=keys.seal({"imap_password": PASSWORD}),
        )
        for address in PEOPLE:
            owner = await make.prospect(conn, keys, address=address)
            await make.enrollment(conn, made, owner, now=make.NOW.replace(year=2025))


def of(place: Town, address: str, query: str) -> list[Any]:
    """Rows of `query`, in which :p is the prospect with `address`."""
    ((owner,),) = place.query("select prospect_id from identities where address = :a", a=address)
    return place.query(query, p=owner)


def answer(mail: MailServers, address: str, words: str) -> None:
    """Answer the mail that was delivered to `address`, as a mail program would."""
    original = message_from_bytes(mail.delivered(address)[0], policy=policy.default)
    body = original.get_body(("plain",))
    assert body is not None
    quoted = "\n".join("> " + line for line in body.get_content().splitlines())
    reply = EmailMessage()
    reply["From"] = f"Ola Hansen <{address}>"
    reply["To"] = str(original["Reply-To"] or original["From"])
    reply["Subject"] = f"Re: {original['Subject']}"
    reply["Message-ID"] = "<an-answer-by-hand@prospect.example>"
    reply["In-Reply-To"] = reply["References"] = str(original["Message-ID"])
    reply.set_content(f"{words}\n\nOn Monday, {original['From']} wrote:\n{quoted}\n")
    with smtplib.SMTP("127.0.0.1", mail.smtp, timeout=20) as client:
        client.send_message(reply, from_addr=address, to_addrs=["kari@sender.example"])


def test_a_bounce_by_postfix_stops_that_address_and_not_the_person(place: Town) -> None:
    place.wait(
        lambda: (
            of(place, PEOPLE[2], "select state from identities where prospect_id = :p")
            == [("bounced",)]
        ),
        seconds=60,
        what="reading the bounce",
    )
    who = PEOPLE[2]
    scopes = of(place, who, "select scope, reason from suppressions where prospect_id = :p")
    assert scopes == [("address", "hard_bounce")]
    assert of(place, who, "select opted_out_at from prospects where id = :p") == [(None,)]
    grades = of(place, who, "select grade from engagements where prospect_id = :p")
    assert ("human",) not in grades


def test_a_vacation_responder_unlocks_nothing_and_stops_nothing(place: Town) -> None:
    who = PEOPLE[1]
    place.wait(
        lambda: of(place, who, "select kind from engagements where prospect_id = :p") != [],
        seconds=60,
        what="reading the vacation mail",
    )
    assert of(place, who, "select grade from engagements where prospect_id = :p") == [("machine",)]
    assert of(place, who, "select id from unlocks where prospect_id = :p") == []
    ((state,),) = of(place, who, "select state from enrollments where prospect_id = :p")
    assert state == "active"


def test_a_reply_is_found_by_idle_stops_and_unlocks(place: Town, mail: MailServers) -> None:
    who = PEOPLE[0]
    answer(mail, who, "Yes, that sounds interesting. Tell me more, please.")
    # IDLE announces it at once; the safety net polls once a minute only.
    place.wait(
        lambda: of(place, who, "select id from unlocks where prospect_id = :p") != [],
        seconds=45,
        what="finding the reply",
    )
    engaged = of(place, who, "select kind, grade, meaning from engagements where prospect_id = :p")
    assert engaged == [("reply", "human", "interested")]
    ((took,),) = place.query(
        "select extract(epoch from received_at - (select max(settled_at) from messages))"
        " from provider_events where kind = 'mail' order by received_at desc limit 1"
    )
    assert float(took) >= 0
    assert all("S" not in flags for flags in mail.flags("kari@sender.example")), "marked as read"
    offers = of(place, who, "select kind, thread_of is not null from messages"
                " where prospect_id = :p and kind = 'call_offer'")  # fmt: skip
    place.wait(
        lambda: (
            of(
                place,
                who,
                "select state from messages where prospect_id = :p and kind = 'call_offer'",
            )
            == [("sent",)]
        ),
        seconds=30,
        what="offering the call",
    )
    assert offers in ([], [("call_offer", True)])
    place.wait(lambda: len(mail.delivered(who)) == 2, seconds=20, what="delivering the offer")
    first, offer = (message_from_bytes(raw, policy=policy.default) for raw in mail.delivered(who))
    assert offer["In-Reply-To"] == first["Message-ID"]
    assert "https://avtale.example/p/" in offer.get_body(("plain",)).get_content()


def test_what_was_delivered_is_what_a_careful_person_sends(mail: MailServers, place: Town) -> None:
    raw = mail.delivered(PEOPLE[0])[0]
    parsed = message_from_bytes(raw, policy=policy.default)
    assert [part.get_content_type() for part in parsed.iter_parts()] == ["text/plain", "text/html"]
    assert parsed["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert parsed["List-Unsubscribe"].startswith("<https://avtale.example/u/")
    assert parsed["To"].addresses[0].addr_spec == PEOPLE[0]
    assert not parsed.defects
