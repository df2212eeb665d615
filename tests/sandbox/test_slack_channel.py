"""Avtale's Slack channel against the sandbox's Slack, over a real socket, there and back."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import uvicorn

from channels.base import Account, ChannelEvent, InboundRequest, OutboundMessage, Sent, Verified
from channels.slack import SOURCES, SlackChannel
from orchestrator.api.app import create_app
from orchestrator.clock import utc_now
from orchestrator.config import Settings
from orchestrator.ids import uuid7
from tests.channels.make import draft, message, passing
from tests.sandbox.providers import Heard

OLA = "ola@acme.example"


@asynccontextmanager
async def on_a_port(settings: Settings) -> AsyncIterator[tuple[Any, httpx.AsyncClient]]:
    """The application on loopback: its state, and a browser."""
    made = create_app(settings)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(made, lifespan="off", ws="none", log_level="error")
        server = uvicorn.Server(config)
        async with made.router.lifespan_context(made):
            task = asyncio.create_task(server.serve(sockets=[listener]))
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            async with httpx.AsyncClient(base_url=url, trust_env=False) as browser:
                yield made.state, browser
            server.should_exit = True
            await task


async def installed(
    state: Any, browser: httpx.AsyncClient, heard: Heard, **settings: str
) -> Account:
    """A sender whose app was installed in the sandbox."""
    found = (await browser.post("/sandbox/slack/control/apps", json={"sender": "kari"})).json()
    hooks = state.sandbox_slack.hooks
    hooks.client = httpx.AsyncClient(transport=httpx.MockTransport(heard.take))
    values = {"workspace": found["workspace"], "base_url": f"{browser.base_url}/sandbox/slack/api/"}
    secrets = {name: found[name] for name in ("bot_token", "signing_secret")}
    return Account(uuid7(), "kari", found["address"], "Kari Nordmann", values | settings, secrets)


def read(heard: Heard, account: Account) -> list[ChannelEvent]:
    """What came in by the door."""
    found: list[ChannelEvent] = []
    for request in heard.requests:
        inbound = InboundRequest(dict(request.headers), request.content)
        assert SOURCES[0].verify(inbound, account, utc_now()) == Verified()
        found += SOURCES[0].parse(inbound, account)
    heard.requests.clear()
    return found


async def test_a_direct_message_there_and_back(sandbox_settings: Settings) -> None:
    heard, channel = Heard(), SlackChannel()
    async with on_a_port(sandbox_settings) as (state, browser):
        account = await installed(state, browser, heard)
        assert await channel.check(account) is None
        frozen = message(channel, account, recipient=OLA, message_id=uuid7())
        sent = await channel.send(account, frozen, passing()[0])
        assert isinstance(sent, Sent)
        assert sent.provider_ref is not None
        found = await channel.find(account, frozen)
        assert isinstance(found, Sent)
        assert found.provider_ref == sent.provider_ref
        where = f"/sandbox/slack/conversations/{sent.thread_ref}/messages"
        ts = sent.provider_ref.partition(":")[2]
        await browser.post(f"{where}/{ts}/press", data={"action": "avtale_later"})
        await browser.post(f"{where}/{ts}/react", data={"name": "+1"})
        await browser.post(where, data={"text": "Ja & takk"})
        await channel.close()
    events = {event.kind: event for event in read(heard, account)}
    assert set(events) == {"own_message", "button", "reaction", "message"}
    assert events["own_message"].message_id == frozen.message_id
    assert (events["button"].choice, events["button"].message_id) == ("later", frozen.message_id)
    assert events["message"].text == "Ja & takk"
    for kind in ("button", "reaction", "message"):
        assert events[kind].user_ref == sent.user_ref
        assert events[kind].thread_ref == sent.thread_ref
    assert events["reaction"].provider_ref == sent.provider_ref


async def test_an_invitation_and_what_follows(sandbox_settings: Settings) -> None:
    heard, channel = Heard(), SlackChannel()
    async with on_a_port(sandbox_settings) as (state, browser):
        account = await installed(state, browser, heard, reach="connect")
        assert await channel.check(account) is None
        said = draft(recipient=OLA, request=True, text="", message_id=uuid7())
        payload = channel.freeze(account, said)
        asked = OutboundMessage(said.message_id, OLA, payload, "key", request=True)
        sent = await channel.send(account, asked, passing()[0])
        assert isinstance(sent, Sent)
        assert await channel.find(account, asked) == sent
        await browser.post(f"/sandbox/slack/invites/{sent.request_ref}/accept")
        (accepted,) = read(heard, account)
        assert (accepted.kind, accepted.address) == ("acceptance", OLA)
        assert (accepted.thread_ref, accepted.provider_ref) == (sent.thread_ref, sent.request_ref)
        frozen = message(channel, account, recipient=OLA, message_id=uuid7())
        frozen = replace(frozen, thread_ref=accepted.thread_ref, user_ref=accepted.user_ref)
        assert isinstance(await channel.send(account, frozen, passing()[0]), Sent)
        where = f"/sandbox/slack/conversations/{sent.thread_ref}/messages"
        await browser.post(where, data={"text": "Fortell mer"})
        own, theirs = read(heard, account)
        assert (own.kind, theirs.kind, theirs.text) == ("own_message", "message", "Fortell mer")
        assert theirs.user_ref == accepted.user_ref
        await channel.close()
