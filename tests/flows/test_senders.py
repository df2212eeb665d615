"""Adding, changing, pausing and trying out senders; secrets stay sealed."""

from typing import Any

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from channels.base import Account
from channels.email.adapter import EmailChannel
from orchestrator.db import transaction
from orchestrator.errors import BadInput, Conflict, NotFound, SetupError, Unavailable
from orchestrator.flows.check_sender import check_sender
from orchestrator.flows.pause_sender import pause_sender
from orchestrator.flows.resume_sender import resume_sender
from orchestrator.flows.save_sender import save_sender
from orchestrator.ids import uuid7
from orchestrator.keys import Keys
from orchestrator.models.messages import lanes
from orchestrator.models.work import history
from orchestrator.store import senders
from orchestrator.wiring import App
from tests.channels.sink import Sink, serving
from tests.make import NOW

CHANNELS = {"email": EmailChannel()}
CANARY = "canary-password"


async def save(engine: AsyncEngine, keys: Keys, *, new: bool = True, **kwargs: Any) -> None:
    values: dict[str, Any] = {
        "address": "Kari@Sender.EXAMPLE",
        "settings": {"host": "mx.sender.example", "username": "kari"},
        "zone": "Europe/Oslo",
    }
    arguments: dict[str, Any] = {
        "name": "kari",
        "values": values if new else {},
        "secrets": {"password": CANARY} if new else None,
    }
    async with transaction(engine) as conn:
        await save_sender(conn, keys, CHANNELS, now=NOW, new=new, **arguments | kwargs)


async def test_a_sender_is_added_with_its_lane(engine: AsyncEngine, keys: Keys) -> None:
    await save(engine, keys)
    async with transaction(engine) as conn:
        row = await senders.by_name(conn, "kari")
        account = await senders.load_account(conn, keys, row["id"])
        assert await conn.scalar(select(lanes.c.sender_id)) == row["id"]
        shown = await senders.listing(conn)
    assert account.address == "kari@sender.example"
    assert account.secrets == {"password": CANARY}
    assert row["hours"] == {"days": "mon, tue, wed, thu, fri", "hours": "08:00-16:00"}
    assert CANARY not in repr(account)
    assert CANARY not in repr(shown)


async def test_no_table_holds_a_password(engine: AsyncEngine, keys: Keys) -> None:
    await save(engine, keys)
    async with transaction(engine) as conn:
        for table in ("senders", "history", "lanes"):
            rows = await conn.execute(text(f"select t::text from {table} t"))
            dumped = "\n".join(rows.scalars())
            assert CANARY not in dumped
            assert CANARY.encode().hex() not in dumped


async def test_a_change_merges_and_keeps_the_rest(engine: AsyncEngine, keys: Keys) -> None:
    await save(engine, keys)
    await save(engine, keys, new=False, values={"daily_cap": 7, "settings": {"port": 465}})
    await save(engine, keys, new=False, secrets={"imap_password": "two"})
    async with transaction(engine) as conn:
        row = await senders.by_name(conn, "kari")
        account = senders.account_of(row, keys)
        kinds = list(await conn.scalars(select(history.c.kind).order_by(history.c.id)))
    assert (row["daily_cap"], row["zone"]) == (7, "Europe/Oslo")
    assert account.settings == {"host": "mx.sender.example", "username": "kari", "port": 465}
    assert account.secrets == {"password": CANARY, "imap_password": "two"}
    assert kinds == ["sender.added", "sender.changed", "sender.changed"]


async def test_an_account_is_kept_for_as_long_as_its_row_is_the_same(
    engine: AsyncEngine, keys: Keys
) -> None:
    await save(engine, keys)
    seen: list[Account] = []
    changes: list[dict[str, Any]] = [
        {"values": {"daily_cap": 9}},
        {"secrets": {"password": "new"}},
        {"values": {"settings": {"port": 465}}},
        {"values": {"display_name": "Eva"}},
        {"values": {"zone": "Asia/Tokyo"}},
    ]
    for change in changes:
        await save(engine, keys, new=False, **change)
        async with transaction(engine) as conn:
            row = await senders.by_name(conn, "kari")
            account, zone = (await senders.accounts(conn, keys, [row["id"]]))[row["id"]]
        async with transaction(engine) as conn:  # the first statement goes through SQLAlchemy
            again, _ = (await senders.accounts(conn, keys, [row["id"], uuid7()]))[row["id"]]
        assert account is again
        assert account == senders.account_of(row, keys)
        assert zone.key == row["zone"]
        seen.append(account)
    assert len({id(one) for one in seen}) == len(changes)
    other = Keys(b"another key than that of the tests, and as long")
    with pytest.raises(SetupError):
        async with transaction(engine) as conn:
            await senders.accounts(conn, other, [row["id"]])


BAD: list[tuple[dict[str, Any], str]] = [
    ({"zone": "Europe/Olso"}, "zone"),
    ({"address": "no address"}, "address"),
    ({"channel": "telegraph"}, "channel"),
    ({"daily_cap": -1}, "daily_cap"),
    ({"hours": {"days": "mon-fri", "hours": "16:00-08:00"}}, "hours"),
    ({"display_name": "Kari\r\nBcc: x"}, "display_name"),
    ({"settings": {"host": "mx", "secruity": "tls"}}, "secruity"),
    ({"settings": {"host": "mx", "security": "none"}}, "security"),
    (
        {"settings": {"host": "mx", "username": "k", "security": "plain_without_encryption"}},
        "in clear",
    ),
    ({"settings": {"host": "mx", "imap": {"host": "mx", "username": "k"}}}, "imap_password"),
    (
        {
            "settings": {
                "host": "mx",
                "imap": {"host": "m", "username": "k", "security": "plain_without_encryption"},
            }
        },
        "in clear",
    ),
]


@pytest.mark.parametrize(("change", "words"), BAD)
async def test_what_cannot_work_is_refused_in_words(
    engine: AsyncEngine, keys: Keys, change: dict[str, Any], words: str
) -> None:
    values = {"address": "kari@sender.example", "settings": {"host": "mx"}} | change
    with pytest.raises(BadInput, match=words):
        await save(engine, keys, values=values)


async def test_names_and_addresses_are_had_once(engine: AsyncEngine, keys: Keys) -> None:
    await save(engine, keys)
    with pytest.raises(Conflict, match="called"):
        await save(engine, keys, values={"address": "b@x.example", "settings": {"host": "mx"}})
    with pytest.raises(Conflict, match="address"):
        await save(engine, keys, name="other")
    with pytest.raises(NotFound):
        await save(engine, keys, name="nobody", new=False)


async def test_pause_and_resume_are_told_once(engine: AsyncEngine, keys: Keys) -> None:
    await save(engine, keys)
    async with transaction(engine) as conn:
        assert await pause_sender(conn, name="kari", reason="holiday", now=NOW)
        assert not await pause_sender(conn, name="kari", reason="again", now=NOW)
        assert (await senders.by_name(conn, "kari"))["pause_reason"] == "holiday"
        assert await resume_sender(conn, name="kari", now=NOW)
        assert not await resume_sender(conn, name="kari", now=NOW)
        count = await conn.scalar(
            select(func.count()).where(history.c.kind.in_(("sender.paused", "sender.resumed")))
        )
    assert count == 2


@pytest.fixture
def mailing(app: App) -> App:
    app.channels["email"] = EmailChannel()
    return app


async def local(app: App, sink: Sink, **settings: Any) -> None:
    where = {"host": "127.0.0.1", "port": sink.port, "security": "plain_without_encryption"}
    values = {"address": "kari@sender.example", "settings": where | settings}
    secrets = {"password": CANARY} if "username" in settings else None
    async with transaction(app.engine) as conn:
        await save_sender(
            conn, app.keys, app.channels, name="kari", values=values, secrets=secrets, now=NOW,
            new=True,
        )  # fmt: skip


async def test_a_sender_can_be_tried_out(mailing: App) -> None:
    async with serving(Sink(auth=True)) as sink:
        await local(mailing, sink, username="kari")
        said = await check_sender(mailing, "kari", mail_to_self=False, now=NOW)
        assert said == "kari: connected, not encrypted, logged in."
        assert sink.mails == []
        assert "sent to" in await check_sender(mailing, "kari", mail_to_self=True, now=NOW)
        await mailing.channels["email"].close()
    [mail] = sink.mails
    assert mail.recipients == ["kari@sender.example"]
    assert b"Auto-Submitted: auto-generated" in mail.data


async def test_a_refused_login_says_so_without_the_password(mailing: App) -> None:
    async with serving(Sink(auth=True, answers={"auth": "535 5.7.8 wrong"})) as sink:
        await local(mailing, sink, username="kari")
        with pytest.raises(Unavailable, match=r"535 5\.7\.8") as raised:
            await check_sender(mailing, "kari", mail_to_self=False, now=NOW)
    assert CANARY not in raised.value.message
