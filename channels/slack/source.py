"""The doors that Slack's events come in by: the Events API, and what is pressed.

Both are signed alike, and each reads the other's bodies too: a URL that was pasted into the wrong
field of the app's settings loses nothing.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Literal
from urllib.parse import parse_qs

from channels.base import Account, ChannelEvent, InboundRequest, Rejected, Verified
from channels.slack import actions, events
from channels.slack.values import token

_TOLERANCE: Final = 300  # seconds, as Slack asks
_DIGITS: Final = re.compile(r"[0-9]{1,12}", re.ASCII)
_FORM: Final = "application/x-www-form-urlencoded"


class SlackSource:
    """One of the two doors."""

    channel = "slack"
    trust: Literal["signed", "weak"] = "signed"
    secrets: tuple[str, ...] = ("signing_secret",)

    def __init__(self, name: str) -> None:
        self.name = name

    def verify(
        self, request: InboundRequest, account: Account, now: datetime
    ) -> Verified | Rejected:
        """`v0=` HMAC-SHA256 of `v0:timestamp:body`; a handshake is answered with its challenge."""
        reason = _fault(request, account.secrets.get("signing_secret") or "", now)
        if reason is not None:
            return Rejected(401, reason)
        body = _read(request)
        if body is None:
            return Rejected(400, "the body is neither a JSON object nor a form")
        if body.get("type") == "url_verification":
            challenge = token(body, "challenge")
            if challenge is None:
                return Rejected(400, "the handshake has no challenge")
            return Verified(
                answer=("application/json", json.dumps({"challenge": challenge}).encode())
            )
        return Verified()

    def parse(self, request: InboundRequest, account: Account) -> list[ChannelEvent]:
        """The events of a verified request: one, or one for each button pressed."""
        body = _read(request) or {}
        fallback = f"body:{hashlib.sha256(request.body).hexdigest()}"
        if body.get("type") == "block_actions":
            return actions.read(body, account, fallback)
        return [events.read(body, account, fallback)]


def _fault(request: InboundRequest, secret: str, now: datetime) -> str | None:
    """What is wrong with the signature; None when nothing is."""
    if not secret:
        return "this sender has no signing secret"
    stamp = request.headers.get("x-slack-request-timestamp", "")
    given = request.headers.get("x-slack-signature", "")
    if not stamp or not given:
        return "the request is not signed"
    if _DIGITS.fullmatch(stamp) is None:
        return "the timestamp is no number"
    base = b"v0:" + stamp.encode() + b":" + request.body
    wanted = "v0=" + hmac.digest(secret.encode("utf-8", "replace"), base, hashlib.sha256).hex()
    # On bytes: comparing strings raises for what is not ASCII.
    if not hmac.compare_digest(wanted.encode(), given.encode("utf-8", "replace")):
        return "the signature does not fit"
    if abs(now.timestamp() - int(stamp)) > _TOLERANCE:
        return "the timestamp is too old or too new"
    return None


def _read(request: InboundRequest) -> Mapping[str, Any] | None:
    """The body; None for what is neither JSON object nor form. A form without a payload, as slash
    commands are, is an object without a type."""
    text = request.body
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == _FORM or text.startswith(b"payload="):
        try:
            fields = parse_qs(text.decode("utf-8", "replace"), True, max_num_fields=200)
        except ValueError:
            return None
        if "payload" not in fields:
            return {}
        text = fields["payload"][0].encode("utf-8", "replace")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


SOURCES = (SlackSource("slack"), SlackSource("slack-actions"))
