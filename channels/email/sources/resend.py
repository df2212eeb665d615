"""Resend's webhooks, signed by Svix: the Standard Webhooks scheme under headers of its own."""

import hmac
from base64 import b64encode
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from typing import Any, Literal

from channels.base import (
    Account,
    BounceClass,
    ChannelEvent,
    EventKind,
    InboundRequest,
    Rejected,
    Verified,
)
from channels.email.sources import configured, reading
from channels.email.sources.bounces import classify

_SECRET = "resend_secret"  # noqa: S105 - the name of a secret
_KINDS: dict[str, EventKind] = {
    "email.delivered": "delivered",
    "email.delivery_delayed": "deferred",
    "email.bounced": "bounced",
    "email.failed": "bounced",
    "email.suppressed": "bounced",
    "email.complained": "complained",
    "email.opened": "opened",
    "email.clicked": "clicked",
}
_MOST = 20  # signatures in one header, and secrets of one sender


class Resend:
    """`settings.events`: {source: resend}; secret `resend_secret`, whsec_..., or two of them with a
    space between while one replaces the other."""

    name = "resend"
    channel = "email"
    trust: Literal["signed", "weak"] = "signed"
    secrets: tuple[str, ...] = (_SECRET,)

    def verify(
        self, request: InboundRequest, account: Account, now: datetime
    ) -> Verified | Rejected:
        """HMAC-SHA256 over `id.timestamp.body`; one right signature of several is enough."""
        settings = configured.events_of(account, self.name)
        if settings is None:
            return Rejected(401, configured.NOT_CONFIGURED)
        keys = _keys(account.secrets.get(_SECRET, ""))
        if not keys:
            return Rejected(401, configured.NO_SECRET)
        webhook_id, timestamp, given = (_header(request, name) for name in _HEADERS)
        plain = webhook_id.isascii() and webhook_id.isprintable()
        if not plain or not 0 < len(webhook_id) < 256:
            return Rejected(401, configured.NOT_SIGNED)
        signed = f"{webhook_id}.{timestamp}.".encode("utf-8", "surrogatepass") + request.body
        found = False
        for key in keys:
            wanted = "v1," + b64encode(hmac.digest(key, signed, sha256)).decode()
            for one in given.split(" ")[:_MOST]:
                found |= reading.same(one, wanted)
        if not found:
            return Rejected(401, configured.NOT_SIGNED)
        if not reading.is_of_now(timestamp, now, settings.tolerance_seconds or 300):
            return Rejected(401, configured.NOT_OF_NOW)
        try:
            value = reading.read_json(request.body)
        except ValueError:
            return Rejected(400, configured.NOT_READ)
        return Verified() if isinstance(value, dict) else Rejected(400, configured.NOT_READ)

    def parse(self, request: InboundRequest, account: Account) -> list[ChannelEvent]:
        """The one event of the body. Its id is the header's, which stays the same at a retry."""
        part = reading.mapping(reading.read_json(request.body))
        data = reading.mapping(part.get("data"))
        kind, bounce, reason = _meaning(part, data)
        seen = reading.mapping(data.get("click") if kind == "clicked" else data.get("open"))
        to = data.get("to")
        return [
            reading.event(
                kind,
                _header(request, "id"),
                request.body,
                at=part.get("created_at"),
                to=(to[0] if isinstance(to, list) and to else to) or data.get("email"),
                ours=_named(data.get("tags"), reading.TAG),
                rfc=data.get("message_id") or _named(data.get("headers"), "message-id"),
                ref=data.get("email_id"),
                bounce=bounce,
                ip=seen.get("ipAddress"),
                agent=seen.get("userAgent"),
                said=reading.word(part.get("type")),
                reason=reason,
                url=reading.word(seen.get("link")),
            )
        ]


_HEADERS = ("id", "timestamp", "signature")


def _header(request: InboundRequest, name: str) -> str:
    return request.headers.get(f"svix-{name}") or request.headers.get(f"webhook-{name}") or ""


@lru_cache(maxsize=64)
def _keys(secret: str) -> tuple[bytes, ...]:
    """The keys in one or more `whsec_<base64>` of at least 24 bytes; what is none is left out."""
    found = (reading.decode_base64(one.removeprefix("whsec_")) for one in secret.split()[:_MOST])
    return tuple(key for key in found if key is not None and len(key) >= 24)


def _named(value: Any, name: str) -> Any:
    """The value called `name` in a map, or in a list of {name, value}."""
    if isinstance(value, dict):
        value = [{"name": key, "value": one} for key, one in value.items()]
    for one in map(reading.mapping, reading.items(value)):
        if reading.word(one.get("name")).lower() == name:
            return one.get("value")
    return None


def _meaning(
    part: Mapping[str, Any], data: Mapping[str, Any]
) -> tuple[EventKind, BounceClass, str]:
    said = reading.word(part.get("type"))
    if said == "contact.updated" and data.get("unsubscribed") is True:
        return "unsubscribed", "other", ""
    kind = _KINDS.get(said, "unknown")
    if kind != "bounced":
        return kind, "other", ""
    why = reading.mapping(data.get("bounce") or data.get("failed") or data.get("suppressed"))
    reason = reading.word(why.get("message")) or reading.word(why.get("reason"))
    if said == "email.suppressed":
        return kind, "hard", reason
    usual: BounceClass = "hard" if why.get("type") == "Permanent" else "other"
    if why.get("type") == "Transient":
        usual = "transient"
    if why.get("subType") == "MailboxFull":
        usual = "mailbox_full"
    return kind, classify("", reason, usual), reason
