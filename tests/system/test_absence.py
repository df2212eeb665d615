"""Must show 3: what a genuine Sieve responder (Pigeonhole) says in twelve languages, read."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from orchestrator.db import transaction
from orchestrator.keys import Keys
from orchestrator.rules.gate import start_of_day
from tests import make
from tests.faults.harness import SECRET, Town, town
from tests.system import mailservers
from tests.system.mailservers import PASSWORD, TONGUES, MailServers

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(not mailservers.available(), reason="needs root, Postfix and Dovecot"),
]

# The day back is three weeks ahead, and not a Monday by chance: the day itself is what counts.
BACK = datetime.now(UTC).date() + timedelta(days=21)
LAST = BACK - timedelta(days=1)
MONTHS = {
    "nb": "januar februar mars april mai juni juli august september oktober november desember",
    "sv": "januari februari mars april maj juni juli augusti september oktober november december",
    "da": "januar februar marts april maj juni juli august september oktober november december",
    "en": "January February March April May June July August September October November December",
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre"
    " diciembre",
    "it": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre"
    " dicembre",
    "pl": "stycznia lutego marca kwietnia maja czerwca lipca sierpnia września października"
    " listopada grudnia",
}


def named(tongue: str, day: date) -> str:
    """The day as that language writes it in the middle of a sentence."""
    return MONTHS[tongue].split()[day.month - 1]


NOTICES = {
    "nb": ("Fravær", f"Hei! Jeg har ferie og er tilbake {BACK.day}. {named('nb', BACK)}."),
    "sv": ("Frånvarande", f"Jag är på semester till och med {LAST.day}/{LAST.month}. Hälsningar"),
    "da": ("Ude af kontoret", f"Jeg er på ferie og er tilbage den {BACK:%d.%m.%Y}."),
    "fi": ("Poissa", f"Olen lomalla {LAST.day}.{LAST.month}.{LAST.year} asti."),
    "en": ("Holiday", f"I am away until {LAST.day} {named('en', LAST)} {LAST.year}. Best, Ola"),
    "de": ("Urlaub", f"Ich bin bis einschließlich {LAST.day}. {named('de', LAST)} im Urlaub."),
    "fr": ("Absence", f"Je serai de retour le {BACK.day} {named('fr', BACK)} {BACK.year}."),
    "es": ("Ausente", f"Estaré fuera de la oficina hasta el {LAST.day} de {named('es', LAST)}."),
    "it": ("Assente", f"Sono in ferie, rientrerò il {BACK.day} {named('it', BACK)} {BACK.year}."),
    "nl": ("Afwezig", f"Ik ben afwezig t/m {LAST:%d-%m-%Y}. Daarna ben ik er."),
    "pl": ("Urlop", f"Jestem na urlopie do {LAST.day} {named('pl', LAST)} {LAST.year}."),
    "pt": ("Férias", f"Estou ausente. Regresso no dia {BACK:%d/%m/%Y}."),
}
LEFT = "I no longer work here. Please write to Anna at anna@prospect.example instead."


def address(tongue: str) -> str:
    """The mailbox that answers in this language."""
    return f"away-{tongue}@prospect.example"


@pytest.fixture(scope="module")
def place() -> Iterator[Town]:
    """A worker that has written to all of them, and has read what their servers answered."""
    with mailservers.mail_servers() as mail, town(AVTALE_BASE_URL="https://a.example") as made:
        for tongue, (subject, text) in NOTICES.items():
            mail.vacation(address(tongue), text, subject)
        mail.vacation(address("xx"), LEFT)
        made.with_engine(lambda engine: fill(engine, mail))
        made.start("worker")
        many = len(TONGUES)
        made.wait(
            lambda: (
                made.query("select count(*) from engagements where kind = 'auto_reply'")
                == [(many,)]
            ),
            seconds=120,
            what="reading the answers of the responders",
        )
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
        for tongue in TONGUES:
            owner = await make.prospect(conn, keys, address=address(tongue))
            await make.enrollment(conn, made, owner, now=make.NOW.replace(year=2025))


def of(place: Town, tongue: str, query: str) -> list[Any]:
    """Rows of `query`, in which :p is the prospect who answers in this language."""
    asked = "select prospect_id from identities where address = :a"
    ((owner,),) = place.query(asked, a=address(tongue))
    return place.query(query, p=owner)


def test_there_are_more_than_ten_languages() -> None:
    assert len(NOTICES) > 10
    assert {*NOTICES, "xx"} == {*TONGUES}


@pytest.mark.parametrize("tongue", NOTICES)
def test_b13_a_vacation_responder_is_no_wish_to_stop_and_moves_the_next_step(
    place: Town, tongue: str
) -> None:
    """B13 of what users complain about: a vacation autoresponder was recorded as an unsubscribe."""
    said = of(place, tongue, "select kind, grade, meaning from engagements where prospect_id = :p")
    assert said == [("auto_reply", "machine", None)]
    assert of(place, tongue, "select id from unlocks where prospect_id = :p") == []
    assert of(place, tongue, "select scope from suppressions where prospect_id = :p") == []
    opted = of(place, tongue, "select opted_out_at from prospects where id = :p")
    assert opted == [(None,)]
    ((state, due),) = of(
        place, tongue, "select state, due_at from enrollments where prospect_id = :p"
    )
    begins: datetime = start_of_day(BACK, "Europe/Oslo")
    assert (state, due) == ("active", begins)


def test_who_has_left_gets_no_more_mail_and_a_task_names_the_other(place: Town) -> None:
    rows = of(place, "xx", "select state, stop_reason from enrollments where prospect_id = :p")
    assert rows == [("stopped", "no longer there")]
    tasks = of(place, "xx", "select kind, title from tasks where prospect_id = :p")
    title = "No longer with the company; they name anna@prospect.example"
    assert tasks == [("gone", title)]
    assert of(place, "xx", "select grade from engagements where prospect_id = :p") == [("machine",)]
