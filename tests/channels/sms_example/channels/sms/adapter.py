"""The channel: one text message is one POST."""

import json
import re
from collections.abc import Mapping
from typing import Any

import httpx

from channels.base import (
    Account,
    Capabilities,
    Draft,
    NotSent,
    OutboundMessage,
    PassPoint,
    Refused,
    SendResult,
    Sent,
    Stopped,
    Unknown,
)
from channels.sms.settings import check_secrets, parse_settings

_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)


class SmsChannel:
    """Plain text to a phone number. It has no threads: an answer comes from the number."""

    name = "sms"
    # The gateway takes one message for one `reference`, for a day.
    capabilities = Capabilities(max_length=1000, rate_scope="account", idempotent_seconds=86_400)

    def __init__(self) -> None:
        self._client = httpx.AsyncClient(follow_redirects=False, trust_env=False)

    def canonical(self, address: str) -> str:
        """`+4790000001`. Raises ValueError."""
        number = re.sub(r"[ ()./-]", "", address.strip())
        if not _NUMBER.fullmatch(number):
            raise ValueError(f"`{address}` is no address here: write a number as +47 900 00 001")
        return number

    def check_settings(self, settings: Mapping[str, Any], secrets: Mapping[str, str]) -> None:
        """Raises ValueError, in words that name the field."""
        parse_settings(settings)
        check_secrets(secrets)

    async def check(self, account: Account) -> NotSent | None:
        """Ask the gateway for the account that the key is of."""
        try:
            answer = await self._call(account, "GET", "/account")
        except httpx.HTTPError as error:
            return NotSent("connect", type(error).__name__, lane="park")
        if answer.status_code != 200:
            return NotSent("login", f"the gateway said {answer.status_code}", lane="pause")
        return None

    def freeze(self, account: Account, draft: Draft) -> bytes:
        """The JSON that is posted. Pure. Raises ValueError for what cannot be said."""
        if not draft.subject.isprintable():
            raise ValueError("a subject is one line of text")
        if draft.attachments:
            raise ValueError("a text message carries no attachment")
        said = {
            "from": account.address,
            "to": self.canonical(draft.recipient),
            "text": draft.text.strip(),
            "reference": str(draft.message_id),
        }
        return json.dumps(said, ensure_ascii=False, sort_keys=True).encode()

    async def send(
        self, account: Account, message: OutboundMessage, pass_point: PassPoint
    ) -> SendResult:
        """One POST. Raises what `pass_point` raises, and CancelledError."""
        try:
            self.check_settings(account.settings, account.secrets)
        except ValueError as error:
            return NotSent("settings", str(error), lane="pause")
        if not await pass_point():
            return Stopped()
        try:
            answer = await self._call(account, "POST", "/messages", message.payload)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            return NotSent("connect", type(error).__name__, lane="park")
        except httpx.HTTPError as error:
            return Unknown(f"no answer: {type(error).__name__}")
        return _result(answer, message.recipient)

    async def close(self) -> None:
        """Drop every connection."""
        await self._client.aclose()

    async def _call(
        self, account: Account, method: str, path: str, body: bytes | None = None
    ) -> httpx.Response:
        settings = parse_settings(account.settings)
        headers = {
            "authorization": f"Bearer {account.secrets['api_key']}",
            "content-type": "application/json",
        }
        url = settings.base_url + path
        return await self._client.request(
            method, url, content=body, headers=headers, timeout=settings.timeout
        )


def _result(answer: httpx.Response, recipient: str) -> SendResult:
    match answer.status_code:
        case 202:
            return Sent(provider_ref=_field(answer, "id"), user_ref=recipient)
        case 429:
            after = answer.headers.get("retry-after", "")
            wait = float(after) if after.isdigit() else 60.0
            return NotSent("rate_limited", "429", retry_after=wait, lane="park")
        case 401 | 403:
            return NotSent("login", f"the gateway said {answer.status_code}", lane="pause")
        case 400 | 422:
            code = _field(answer, "code") or "refused"
            return Refused(code, f"the gateway said {code}", bad_address=code == "unknown_number")
    return Unknown(f"the gateway said {answer.status_code}")


def _field(answer: httpx.Response, name: str) -> str | None:
    try:
        found = answer.json()
    except ValueError:
        return None
    value = found.get(name) if isinstance(found, dict) else None
    return value if isinstance(value, str) else None
