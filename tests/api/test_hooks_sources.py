"""The email sources through the door: certificates, confirmations, replays, weak words."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine

from channels.base import InboundRequest
from channels.email.sources import SOURCES
from orchestrator.api import hooks, problems
from orchestrator.api.hook_fetch import Fetcher
from orchestrator.clock import utc_now
from orchestrator.db import transaction
from orchestrator.errors import Unavailable
from orchestrator.models.engagement import provider_events
from orchestrator.rules import event_json
from orchestrator.wiring import App
from tests.api.hook_world import add_sender
from tests.channels.sources.signing import CERTIFICATE, account, amazon, request, sns_request
from tests.flows.coming import all_of

NAMES = [one.name for one in SOURCES]
PAYLOADS: dict[str, Any] = {
    "sendgrid": [{"event": "open", "sg_event_id": "a"}],
    "mailgun": {"event": "opened", "id": "a"},
    "postmark": {"RecordType": "Open", "MessageID": "a"},
    "ses": {"eventType": "Open", "mail": {}, "open": {}},
    "resend": {"type": "email.opened", "data": {}},
}


class Amazon(Fetcher):
    """What is at Amazon's addresses, and who asked for it."""

    def __init__(self) -> None:
        super().__init__()
        self.pages: dict[str, bytes] = {CERTIFICATE: amazon()[1]}
        self.asked: list[str] = []
        self.down = False

    async def fetch(self, url: str) -> bytes | None:
        self.asked.append(url)
        if self.down:
            raise Unavailable("down")
        return self.pages.get(url)


@pytest.fixture
def there() -> Amazon:
    """Amazon."""
    return Amazon()


@pytest.fixture
async def client(app: App, there: Amazon) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the door, with one sender for each provider that has its name."""
    async with transaction(app.engine) as conn:
        for name in NAMES:
            known = account(name)
            await add_sender(
                conn,
                app.keys,
                name,
                settings=dict(known.settings),
                secrets=dict(known.secrets),
            )
    api = FastAPI()
    problems.install(api)
    api.include_router(hooks.router)
    api.state.avtale = app
    api.state.hooks = hooks.Hooks(app, SOURCES)
    api.state.hooks.fetcher = there
    transport = httpx.ASGITransport(api, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as made:
        yield made


async def post(client: httpx.AsyncClient, name: str, asked: InboundRequest) -> int:
    """The status that the door answers with."""
    headers = dict(asked.headers)
    answer = await client.post(f"/hooks/{name}/{name}", content=asked.body, headers=headers)
    return answer.status_code


async def rows(engine: AsyncEngine) -> list[Any]:
    """What is stored."""
    async with transaction(engine) as conn:
        return list(await all_of(conn, provider_events))


@pytest.mark.parametrize("name", NAMES)
async def test_an_event_is_stored_once_however_often_it_comes(
    client: httpx.AsyncClient, engine: AsyncEngine, name: str
) -> None:
    now = utc_now()
    for seconds in (0, 0, -20):
        asked = request(name, PAYLOADS[name], now + timedelta(seconds=seconds))
        assert await post(client, name, asked) == 200
    [row] = await rows(engine)
    assert (row["source"], row["kind"]) == (f"{name}:{name}", "opened")
    assert row["trust"] == ("weak" if name in ("mailgun", "postmark") else "signed")
    assert event_json.decode(row["detail"]["event"]).kind == "opened"
    assert json.loads(row["raw"])


@pytest.mark.parametrize("name", [one for one in NAMES if one != "postmark"])
async def test_what_is_stale_leaves_no_row(
    client: httpx.AsyncClient, engine: AsyncEngine, name: str
) -> None:
    old = request(name, PAYLOADS[name], utc_now() - timedelta(hours=8))
    assert await post(client, name, old) == 401
    assert await rows(engine) == []


@pytest.mark.parametrize("name", NAMES)
async def test_the_request_of_one_provider_is_nothing_to_another(
    client: httpx.AsyncClient, engine: AsyncEngine, name: str
) -> None:
    for other in NAMES:
        if other != name:
            asked = request(name, PAYLOADS[name], utc_now())
            assert await post(client, other, asked) in (400, 401, 403)
    assert await rows(engine) == []


async def test_a_mailgun_signature_is_good_for_one_body(
    client: httpx.AsyncClient, engine: AsyncEngine
) -> None:
    now = utc_now()
    assert (
        await post(client, "mailgun", request("mailgun", {"event": "opened", "id": "a"}, now))
        == 200
    )
    other = {"event": "unsubscribed", "id": "b"}
    assert await post(client, "mailgun", request("mailgun", other, now)) == 401
    assert await post(client, "mailgun", request("mailgun", other, now, "another token")) == 200
    assert len(await rows(engine)) == 2


async def test_the_certificate_is_fetched_once(client: httpx.AsyncClient, there: Amazon) -> None:
    for number in range(3):
        asked = request("ses", PAYLOADS["ses"], utc_now(), f"m{number}")
        assert await post(client, "ses", asked) == 200
    assert there.asked == [CERTIFICATE]


async def test_a_certificate_that_cannot_be_had_now_is_a_503(
    client: httpx.AsyncClient, engine: AsyncEngine, there: Amazon
) -> None:
    asked = request("ses", PAYLOADS["ses"], utc_now())
    there.down = True
    assert await post(client, "ses", asked) == 503
    there.down = False
    assert await post(client, "ses", asked) == 200
    assert len(await rows(engine)) == 1


async def test_a_certificate_that_is_not_there_is_a_401(
    client: httpx.AsyncClient, there: Amazon
) -> None:
    there.pages = {}
    assert await post(client, "ses", request("ses", PAYLOADS["ses"], utc_now())) == 401


async def test_a_subscription_is_confirmed_for_known_topics_only(
    client: httpx.AsyncClient, engine: AsyncEngine, there: Amazon
) -> None:
    url = "https://sns.eu-north-1.amazonaws.com/?Action=ConfirmSubscription&Token=abc"
    there.pages[url] = b"<ok/>"
    values = {
        "Type": "SubscriptionConfirmation",
        "Message": "x",
        "Token": "abc",
        "SubscribeURL": url,
    }
    strange = values | {"TopicArn": "arn:aws:sns:eu-north-1:999999999999:somebody-elses"}
    assert await post(client, "ses", sns_request(strange, utc_now())) == 403
    assert there.asked == []
    assert await post(client, "ses", sns_request(values, utc_now())) == 200
    assert there.asked == [CERTIFICATE, url]
    [row] = await rows(engine)
    assert row["kind"] == "unknown"


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1/", "https://127.0.0.1:1/", "file:///x", "https://["]
)
async def test_the_fetcher_takes_https_and_says_when_nobody_answers(url: str) -> None:
    if url.startswith("https"):
        with pytest.raises(Unavailable):
            await Fetcher().fetch(url)
    else:
        assert await Fetcher().fetch(url) is None
