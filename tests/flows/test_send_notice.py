"""Mail about an account: by the oldest sender that may send, and never as outreach."""

import json

from sqlalchemy import func, select, update

from channels.base import NotSent
from channels.fake import FakeChannel
from orchestrator.db import transaction
from orchestrator.flows.send_notice import send_notice
from orchestrator.models.messages import messages, senders
from orchestrator.wiring import App
from tests import make

LETTER = {"to": "ola@office.example", "name": "Ola", "subject": "A link", "text": "Here it is."}


async def sent(app: App) -> bool:
    return await send_notice(app, **LETTER, language="en")


async def test_a_notice_leaves_by_a_sender_and_is_no_message(app: App) -> None:
    async with transaction(app.engine) as conn:
        await make.world(conn)
    assert await sent(app)
    channel = app.channels["email"]
    assert isinstance(channel, FakeChannel)
    [letter] = channel.sent
    written = json.loads(letter.payload)
    assert (written["from"], written["to"]) == ("kari@sender.example", "ola@office.example")
    assert written["text"] == "Here it is."
    async with transaction(app.engine) as conn:
        assert (await conn.execute(select(func.count()).select_from(messages))).scalar_one() == 0


async def test_without_a_sender_that_may_send_nothing_leaves(app: App) -> None:
    assert not await sent(app)
    async with transaction(app.engine) as conn:
        await make.world(conn)
        await conn.execute(update(senders).values(paused_at=make.NOW))
    assert not await sent(app)


async def test_a_server_that_refuses_is_no_error(app: App) -> None:
    async with transaction(app.engine) as conn:
        await make.world(conn)
    channel = app.channels["email"]
    assert isinstance(channel, FakeChannel)
    channel.before.append(NotSent("connect", "nobody there"))
    assert not await sent(app)
    assert await sent(app)
