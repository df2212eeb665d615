"""A message in doubt is looked for where the provider keeps sent mail: a real Dovecot."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from imapclient import IMAPClient
from sqlalchemy import update

from channels.base import OutboundMessage, Unknown
from channels.email.adapter import EmailChannel
from channels.fake import FakeChannel
from orchestrator.clock import database_now
from orchestrator.db import transaction
from orchestrator.flows.reconcile import reconcile
from orchestrator.models.messages import senders
from orchestrator.store.senders import load_account
from orchestrator.wiring import App
from tests.flows.doubtful import Doubtful, doubtful
from tests.system import mailservers
from tests.system.mailservers import PASSWORD, MailServers

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(not mailservers.available(), reason="needs root, Postfix and Dovecot"),
]
KARI = "kari@sender.example"


@pytest.fixture(scope="module")
def mail() -> Iterator[MailServers]:
    with mailservers.mail_servers() as servers:
        yield servers


class Mail(FakeChannel):
    """Loses the answer as the other tests' channel, and freezes and asks as the real one."""

    def __init__(self) -> None:
        super().__init__(name="email")
        self.real = EmailChannel()
        self.freeze = self.real.freeze  # type: ignore[method-assign]  # the bytes of a real mail
        self.can_ask = self.real.can_ask
        self.find = self.real.find


def put(mail: MailServers, folder: str, *copies: bytes) -> None:
    """What the provider files away; the folder is empty before."""
    with IMAPClient("127.0.0.1", mail.imap, ssl=False) as client:
        client.login(KARI, PASSWORD)
        if client.folder_exists(folder):
            client.delete_folder(folder)
        client.create_folder(folder)
        for copy in copies:
            client.append(folder, copy)


async def in_doubt(app: App, mail: MailServers, **imap: Any) -> Doubtful:
    """A message in doubt of a sender with this mailbox."""
    made = await doubtful(app, Mail())
    values = {
        "host": "127.0.0.1", "port": mail.imap, "security": "plain_without_encryption",
        "username": KARI,
    } | imap  # fmt: skip
    settings = {"host": "127.0.0.1", "security": "plain_without_encryption", "imap": values}
    async with transaction(app.engine) as conn:
        secrets = app.keys.seal({"imap_password": PASSWORD})
        await conn.execute(update(senders).values(settings=settings, secrets=secrets))
    await made.age("1 hour")
    return made


async def settled(made: Doubtful) -> str:
    async with transaction(made.app.engine) as conn:
        now = await database_now(conn)
    await reconcile(made.app, now)
    return await made.state()


async def payload(made: Doubtful) -> bytes:
    ((found,),) = await made.rows("select payload from frozen")
    return bytes(found)


@pytest.mark.parametrize("folder", ["Sent", "\\Sent", "Sendte elementer"])
async def test_a_copy_in_the_folder_settles_the_doubt(
    app: App, mail: MailServers, folder: str
) -> None:
    made = await in_doubt(app, mail, sent_folder=folder)
    copies = (b"Subject: another\r\n\r\nHi\r\n", await payload(made))
    await asyncio.to_thread(put, mail, folder.lstrip("\\"), *copies)
    assert await settled(made) == "sent"
    assert await made.stands() == ("active", "wait-1")


@pytest.mark.parametrize(("holds", "state"), [("some", "in_doubt"), ("every", "retry_wait")])
async def test_no_copy_proves_nothing_unless_the_sender_says_so(
    app: App, mail: MailServers, holds: str, state: str
) -> None:
    """An id that contains ours is another one."""
    made = await in_doubt(app, mail, sent_folder="Sent", sent_holds=holds)
    other = (await payload(made)).replace(b"Message-ID: <", b"Message-ID: <x")
    await asyncio.to_thread(put, mail, "Sent", other)
    assert await settled(made) == state


@pytest.mark.parametrize(
    "wrong",
    [{"sent_folder": "Nowhere"}, {"port": 1}, {"username": "nobody@sender.example"}],
)
async def test_a_mailbox_that_cannot_be_asked_settles_nothing(
    app: App, mail: MailServers, wrong: dict[str, Any]
) -> None:
    made = await in_doubt(app, mail, **{"sent_folder": "Sent", "sent_holds": "every"} | wrong)
    await asyncio.to_thread(put, mail, "Sent")
    assert await settled(made) == "in_doubt"
    ((said,),) = await made.rows("select detail->>'answer' from history where kind = :k",
                                 k="message.asked")  # fmt: skip
    assert said == "it cannot tell"


async def test_a_sender_without_such_a_folder_is_not_asked(app: App, mail: MailServers) -> None:
    made = await in_doubt(app, mail)
    assert await settled(made) == "in_doubt"
    assert await made.rows("select 1 from history where kind = 'message.asked'") == []
    assert isinstance(made.channel, Mail)
    assert isinstance(await made.channel.find(*await _asked(made)), Unknown)


async def _asked(made: Doubtful) -> Any:
    async with transaction(made.app.engine) as conn:
        account = await load_account(conn, made.app.keys, made.world.sender)
    return account, OutboundMessage(made.message, "x", await payload(made), "k")
