"""The sandbox's Slack: the Web API as its client calls it, pages, and signed events."""

import asyncio
import hashlib
import hmac
import json
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest

from orchestrator.config import Settings
from tests.sandbox.providers import Sandbox, opened

NASTY = "<script>alert('x')</script>"
BLOCKS = [
    {
        "type": "section",
        "text": {"type": "mrkdwn", "text": "Hei &lt;b&gt; <https://a.example|her>"},
    },
    {
        "type": "actions",
        "block_id": "choice",
        "elements": [
            {
                "type": "button",
                "action_id": "avtale_more",
                "value": "m1",
                "text": {"type": "plain_text", "text": "Tell me more"},
            }
        ],
    },
]


class Client:
    """Calls methods with the token of a freshly installed app."""

    def __init__(self, sandbox: Sandbox, credentials: dict[str, str]) -> None:
        self.sandbox, self.credentials = sandbox, credentials
        self.headers = {"authorization": f"Bearer {credentials['bot_token']}"}

    async def form(self, method: str, **values: str) -> Any:
        path = f"/sandbox/slack/api/{method}"
        return (await self.sandbox.browser.post(path, data=values, headers=self.headers)).json()

    async def post(self, **values: Any) -> httpx.Response:
        return await self.sandbox.browser.post(
            "/sandbox/slack/api/chat.postMessage", json=values, headers=self.headers
        )


async def install(sandbox: Sandbox) -> Client:
    answer = await sandbox.browser.post("/sandbox/slack/control/apps", json={"sender": "kari"})
    hooks = sandbox.state.sandbox_slack.hooks
    hooks.client = httpx.AsyncClient(transport=httpx.MockTransport(sandbox.heard.take))
    return Client(sandbox, answer.json())


async def direct(client: Client, email: str = "ola@acme.example") -> str:
    found = await client.form("users.lookupByEmail", email=email)
    opened_ = await client.form("conversations.open", users=found["user"]["id"])
    channel: str = opened_["channel"]["id"]
    return channel


def events(sandbox: Sandbox, kind: str) -> list[dict[str, Any]]:
    found = [json.loads(request.content) for request in sandbox.heard.requests
             if request.headers["content-type"] == "application/json"]  # fmt: skip
    return [each for each in found if each["event"]["type"] == kind]


def is_signed(request: httpx.Request, secret: str) -> bool:
    at = request.headers["x-slack-request-timestamp"]
    mac = hmac.new(secret.encode(), f"v0:{at}:".encode() + request.content, hashlib.sha256)
    return request.headers["x-slack-signature"] == f"v0={mac.hexdigest()}"


async def test_a_direct_message_is_posted_found_and_answered(sandbox: Sandbox) -> None:
    client = await install(sandbox)
    assert (await client.form("auth.test"))["team_id"] == client.credentials["workspace"]
    channel = await direct(client)
    assert await direct(client) == channel
    metadata = {"event_type": "avtale_message", "event_payload": {"key": "k1"}}
    posted = (
        await client.post(channel=channel, text="Hei", blocks=BLOCKS, metadata=metadata)
    ).json()
    history = await client.form(
        "conversations.history", channel=channel, include_all_metadata="true", limit="15"
    )
    assert [each["metadata"] for each in history["messages"]] == [metadata]
    page = await sandbox.browser.get("/sandbox/slack", params={"person": "ola@acme.example"})
    assert "Tell me more" in page.text
    assert "Hei &lt;b&gt;" in page.text
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    where = f"/sandbox/slack/conversations/{channel}/messages"
    pressed = await sandbox.browser.post(
        f"{where}/{posted['ts']}/press", data={"action": "avtale_more"}
    )
    assert pressed.status_code == 303
    request = sandbox.heard.requests[-1]
    assert request.url.path == "/hooks/slack/kari"
    assert is_signed(request, client.credentials["signing_secret"])
    payload = json.loads(parse_qs(request.content.decode())["payload"][0])
    assert payload["actions"][0]["action_id"] == "avtale_more"
    assert payload["message"]["metadata"] == metadata
    await sandbox.browser.post(where, data={"text": NASTY})
    await sandbox.browser.post(f"{where}/{posted['ts']}/react", data={"name": "+1"})
    ours, theirs = events(sandbox, "message")
    assert "bot_id" in ours["event"]
    assert theirs["event"]["channel_type"] == "im"
    assert events(sandbox, "reaction_added")[0]["event"]["item"]["ts"] == posted["ts"]
    page = await sandbox.browser.get("/sandbox/slack", params={"person": "ola@acme.example"})
    assert NASTY not in page.text


async def test_slack_connect_waits_for_the_acceptance(sandbox: Sandbox) -> None:
    client = await install(sandbox)
    made = await client.form("conversations.create", name="kari-abc", is_private="true")
    assert (await client.form("conversations.create", name="kari-abc"))["error"] == "name_taken"
    channel = made["channel"]["id"]
    invited = await client.form(
        "conversations.inviteShared", channel=channel, emails="ola@acme.example"
    )
    listed = await client.form("conversations.listConnectInvites")
    assert [each["status"] for each in listed["invites"]] == ["sent"]
    page = await sandbox.browser.get("/sandbox/slack", params={"person": "ola@acme.example"})
    assert "Slack Connect" in page.text
    answer = await sandbox.browser.post(f"/sandbox/slack/invites/{invited['invite_id']}/accept")
    assert answer.status_code == 303
    event = events(sandbox, "shared_channel_invite_accepted")[0]["event"]
    assert event["invite"]["id"] == invited["invite_id"]
    assert event["channel"]["id"] == channel
    assert (await client.post(channel=channel, text="Hei")).json()["ok"]
    assert (await client.form("conversations.info", channel=channel))["channel"]["is_ext_shared"]
    where = f"/sandbox/slack/conversations/{channel}/messages"
    assert (await sandbox.browser.post(where, data={"text": "Hei"})).status_code == 303
    theirs = [each["event"] for each in events(sandbox, "message") if "bot_id" not in each["event"]]
    assert [each["team"] for each in theirs] == [event["accepting_user"]["team_id"]]
    assert theirs[0]["team"] != client.credentials["workspace"]
    again = await sandbox.browser.post(f"/sandbox/slack/invites/{invited['invite_id']}/decline")
    assert again.status_code == 404


async def test_limits_and_faults_are_slacks_own(sandbox: Sandbox) -> None:
    client = await install(sandbox)
    channel = await direct(client)
    answers = [await client.post(channel=channel, text="Hei") for _ in range(4)]
    assert [each.status_code for each in answers] == [200, 200, 200, 429]
    assert int(answers[3].headers["retry-after"]) >= 1
    for asked, wanted in (
        ({"error": "fatal_error"}, "fatal_error"),
        ({"error": "token_revoked"}, "token_revoked"),
    ):
        fault = {"method": "users.lookupByEmail", **asked}
        await sandbox.browser.post("/sandbox/slack/control/faults", json=fault)
        said = await client.form("users.lookupByEmail", email="ola@acme.example")
        assert said == {"ok": False, "error": wanted}
    for method, values, error in (
        ("users.lookupByEmail", {"email": "nobody@acme.example"}, "users_not_found"),
        ("conversations.history", {"channel": "C404"}, "channel_not_found"),
        ("no.such", {}, "unknown_method"),
    ):
        assert (await client.form(method, **values))["error"] == error
    client.headers = {"authorization": "Bearer xoxb-wrong"}
    assert (await client.form("auth.test"))["error"] == "invalid_auth"


async def test_a_lost_acknowledgement_leaves_the_message_there(sandbox: Sandbox) -> None:
    client = await install(sandbox)
    channel = await direct(client)
    fault = {"method": "chat.postMessage", "error": "internal_error", "acts": True}
    await sandbox.browser.post("/sandbox/slack/control/faults", json=fault)
    assert not (await client.post(channel=channel, text="Hei")).json()["ok"]
    history = await client.form("conversations.history", channel=channel)
    assert [each["text"] for each in history["messages"]] == ["Hei"]


async def test_webhooks_come_twice_late_and_again(sandbox: Sandbox) -> None:
    client = await install(sandbox)
    channel = await direct(client)
    where = f"/sandbox/slack/conversations/{channel}/messages"
    control = "/sandbox/slack/control/webhooks"
    await sandbox.browser.post(control, json={"copies": 3})
    await sandbox.browser.post(where, data={"text": "Hei"})
    assert len({each["event_id"] for each in events(sandbox, "message")}) == 1
    assert len(events(sandbox, "message")) == 3
    sandbox.heard.requests.clear()
    await sandbox.browser.post(control, json={"hold": True})
    await sandbox.browser.post(where, data={"text": "Hei"})
    assert not sandbox.heard.requests
    sandbox.heard.statuses = iter([503])
    released = await sandbox.browser.post(control, json={})
    assert released.json() == {"released": 1}
    for _ in range(50):
        if len(sandbox.heard.requests) == 2:
            break
        await asyncio.sleep(0.05)
    assert len(events(sandbox, "message")) == 2


async def test_everything_is_there_after_a_restart(sandbox_settings: Settings) -> None:
    async with opened(sandbox_settings) as before:
        client = await install(before)
        await client.post(channel=await direct(client), text="Hei")
    async with opened(sandbox_settings) as after:
        page = await after.browser.get("/sandbox/slack", params={"person": "ola@acme.example"})
        assert "Hei" in page.text
        assert (await install(after)).credentials == client.credentials


@pytest.mark.parametrize(
    "path",
    [
        "/sandbox/slack/conversations/D404/messages",
        "/sandbox/slack/invites/I404/accept",
        "/sandbox/slack/invites/I404/steal",
    ],
)
async def test_what_is_not_there(sandbox: Sandbox, path: str) -> None:
    assert (await sandbox.browser.post(path, data={"text": "x"})).status_code == 404
    evil = {"origin": "https://evil.example"}
    assert (await sandbox.browser.post(path, headers=evil)).status_code == 403
