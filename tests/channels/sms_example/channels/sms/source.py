"""The door that the gateway's events come in by."""

import hmac
import json
import re
from datetime import datetime
from hashlib import sha256
from typing import Any, Literal

from channels.base import Account, ChannelEvent, EventKind, InboundRequest, Rejected, Verified

_TOLERANCE = 300  # seconds
_HEADER = re.compile(r"t=([0-9]{1,12}),v1=([0-9a-f]{64})", re.ASCII)
_KINDS: dict[str, EventKind] = {
    "delivered": "delivered",
    "undeliverable": "bounced",
    "reply": "message",
}


class SmsSource:
    """`x-sms-signature: t=<unix time>,v1=<hex>`: HMAC-SHA256 of `<unix time>.<body>`."""

    name = "sms"
    channel = "sms"
    trust: Literal["signed", "weak"] = "signed"
    secrets: tuple[str, ...] = ("webhook_secret",)

    def verify(
        self, request: InboundRequest, account: Account, now: datetime
    ) -> Verified | Rejected:
        """Check the raw bytes. Pure, never raises."""
        secret = account.secrets.get("webhook_secret")
        if not secret:
            return Rejected(403, "this sender has no webhook_secret")
        found = _HEADER.fullmatch(request.headers.get("x-sms-signature", ""))
        if found is None:
            return Rejected(401, "the signature is missing or not readable")
        signed = found[1].encode() + b"." + request.body
        wanted = hmac.new(secret.encode(), signed, sha256).hexdigest()
        if not hmac.compare_digest(wanted, found[2]):
            return Rejected(401, "the signature does not fit")
        if abs(int(found[1]) - now.timestamp()) > _TOLERANCE:
            return Rejected(401, "the signature is of another time than now")
        try:
            json.loads(request.body)
        except (ValueError, RecursionError):
            return Rejected(400, "the body is no JSON")
        return Verified()

    def parse(self, request: InboundRequest, account: Account) -> list[ChannelEvent]:
        """The event; what is not understood is `unknown`. Pure, never raises."""
        said = json.loads(request.body)
        if not isinstance(said, dict) or not isinstance(said.get("id"), str):
            return [ChannelEvent("unknown", sha256(request.body).hexdigest(), detail={"raw": said})]
        kind = _KINDS.get(str(said.get("type")), "unknown")
        return [
            ChannelEvent(
                kind,
                said["id"],
                address=_text(said, "from") if kind == "message" else _text(said, "to"),
                provider_ref=_text(said, "message"),
                text=_text(said, "text") or "",
                bounce="hard" if kind == "bounced" else None,
                detail={"raw": said},
            )
        ]


def _text(said: dict[str, Any], name: str) -> str | None:
    value = said.get(name)
    return value if isinstance(value, str) else None


SOURCES = (SmsSource(),)
