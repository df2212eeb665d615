"""The sandbox's network: the operator's API as a client calls it, pages, and signed events."""

import hashlib
import hmac
import json
from typing import Any

import httpx

from tests.sandbox.providers import Sandbox

OLA = "ola-hansen"


class Client:
    """Calls the API for a freshly connected account."""

    def __init__(self, sandbox: Sandbox, credentials: dict[str, str]) -> None:
        self.sandbox, self.credentials = sandbox, credentials
        self.headers = {"x-api-key": credentials["api_key"]}

    async def get(self, path: str, **query: str) -> httpx.Response:
        return await self.sandbox.browser.get(
            f"/sandbox/network/api{path}", params=query, headers=self.headers
        )

    async def post(self, path: str, **body: Any) -> httpx.Response:
        return await self.sandbox.browser.post(
            f"/sandbox/network/api{path}", json=body, headers=self.headers
        )

    @property
    def account(self) -> str:
        return "/" + self.credentials["account_id"]


async def connect(sandbox: Sandbox, tier: str = "premium") -> Client:
    answer = await sandbox.browser.post(
        "/sandbox/network/control/accounts", json={"sender": "kari", "tier": tier}
    )
    hooks = sandbox.state.sandbox_network.hooks
    hooks.client = httpx.AsyncClient(transport=httpx.MockTransport(sandbox.heard.take))
    return Client(sandbox, answer.json())


async def invited(client: Client, who: str = OLA, note: str = "") -> tuple[str, str]:
    """The ids of a member and of the invitation to them."""
    member = (await client.get(f"{client.account}/users/{who}")).json()["id"]
    asked = f"{client.account}/users/me/relation-requests"
    made = await client.post(asked, user_id=member, message=note)
    assert made.status_code == 201, made.text
    return member, made.json()["request_id"]


def heard(sandbox: Sandbox, kind: str) -> list[dict[str, Any]]:
    found = [json.loads(request.content) for request in sandbox.heard.requests]
    return [each for each in found if each["type"] == kind]


async def test_an_invitation_opens_the_chat_once_it_is_accepted(sandbox: Sandbox) -> None:
    client = await connect(sandbox)
    member, request_id = await invited(client, note="Hei <b>Ola</b>")
    early = await client.post(f"{client.account}/chats/send", text="Hei", users_ids=[member])
    assert early.status_code == 422
    assert early.json()["type"] == "errors/no_connection_with_recipient"
    page = await sandbox.browser.get("/sandbox/network", params={"member": OLA})
    assert "Hei &lt;b&gt;Ola" in page.text
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    await sandbox.browser.post(f"/sandbox/network/invitations/{request_id}/accept")
    accepted = heard(sandbox, "relation.request.accept")[0]
    assert accepted["payload"]["user"]["public_identifier"] == OLA
    request = sandbox.heard.requests[-1]
    assert request.url.path == "/hooks/unipile/kari"
    at, mac = (part.partition("=")[2] for part in request.headers["unipile-signature"].split(","))
    secret = client.credentials["webhook_secret"].encode()
    signed = hmac.new(secret, f"{at}.".encode() + request.content, hashlib.sha256).hexdigest()
    assert mac == signed
    relations = await client.get(f"{client.account}/users/me/relations")
    assert [each["id"] for each in relations.json()["items"]] == [member]
    sent = await client.post(f"{client.account}/chats/send", text="Takk!", users_ids=[member])
    chat = sent.json()["chat_id"]
    more = await client.post(f"/chats/{chat}/messages/send", text="En ting til")
    assert more.status_code == 201
    await sandbox.browser.post(f"/sandbox/network/chats/{chat}/messages", data={"text": "Ja takk"})
    await sandbox.browser.post(f"/sandbox/network/chats/{chat}/read")
    lines = (await client.get(f"/chats/{chat}/messages")).json()["items"]
    assert [each["text"] for each in lines] == [
        *("Ja takk", "En ting til", "Takk!", "Hei <b>Ola</b>")
    ]
    assert [each["payload"]["is_sender"] for each in heard(sandbox, "message.new")] == [
        *(True, True, False)
    ]
    assert heard(sandbox, "message.receipt.read")[0]["payload"]["chat_id"] == chat


async def test_nobody_is_invited_twice(sandbox: Sandbox) -> None:
    client = await connect(sandbox)
    member, request_id = await invited(client)
    asked = f"{client.account}/users/me/relation-requests"
    again = await client.post(asked, user_id=member)
    assert again.json()["type"] == "errors/already_invited_recently"
    listed = await client.get(asked, type="sent")
    assert [each["id"] for each in listed.json()["items"]] == [request_id]
    cancelled = await client.post(f"{asked}/{request_id}/cancel")
    assert cancelled.status_code == 200
    banned = await client.post(asked, user_id=member)
    assert banned.json()["type"] == "errors/cannot_resend_yet"
    await sandbox.browser.post("/sandbox/clock", data={"to": "three-days"})
    assert (await client.post(asked, user_id=member)).status_code == 422
    for _ in range(7):
        await sandbox.browser.post("/sandbox/clock", data={"to": "three-days"})
    assert (await client.post(asked, user_id=member)).status_code == 201


async def test_a_free_account_has_short_and_few_notes(sandbox: Sandbox) -> None:
    client = await connect(sandbox, "free")
    for number in range(5):
        await invited(client, f"member-{number}", "x" * 200)
    member = (await client.get(f"{client.account}/users/{OLA}")).json()["id"]
    asked = f"{client.account}/users/me/relation-requests"
    long = await client.post(asked, user_id=member, message="x" * 201)
    assert (long.status_code, long.json()["type"]) == (400, "errors/too_many_characters")
    sixth = await client.post(asked, user_id=member, message="x")
    assert sixth.json()["type"] == "errors/limit_exceeded"
    assert (await client.post(asked, user_id=member)).status_code == 201


async def test_who_calls_and_what_goes_wrong(sandbox: Sandbox) -> None:
    client = await connect(sandbox)
    assert (await client.get(f"{client.account}/users/nobody-at-all")).status_code == 404
    assert (await client.get("/acc_404/users/me")).status_code == 404
    fault = {"method": "users.get", "error": "too_many_requests", "status": 429, "retry_after": 7}
    await sandbox.browser.post("/sandbox/network/control/faults", json=fault)
    slow = await client.get(f"{client.account}/users/{OLA}")
    assert (slow.status_code, slow.headers["retry-after"]) == (429, "7")
    await sandbox.browser.post("/sandbox/network/control/state/kari/disconnected")
    gone = await client.get(f"{client.account}/users/{OLA}")
    assert (gone.status_code, gone.json()["type"]) == (401, "errors/disconnected_account")
    client.headers = {}
    assert (await client.get(f"{client.account}/users/{OLA}")).status_code == 401
