"""Mailgun's webhooks: the signature is inside the body and does not cover what happened."""

import hmac
from collections.abc import Mapping
from datetime import datetime
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

_SECRET = "mailgun_signing_key"  # noqa: S105 - the name of a secret
_KINDS: dict[str, EventKind] = {
    "delivered": "delivered",
    "failed": "bounced",
    "rejected": "bounced",
    "opened": "opened",
    "clicked": "clicked",
    "complained": "complained",
    "unsubscribed": "unsubscribed",
}
# Mailgun did not try: it remembers what happened to the address before.
_SUPPRESSED: dict[str, EventKind] = {
    "suppress-complaint": "complained",
    "suppress-unsubscribe": "unsubscribed",
}


class Mailgun:
    """`settings.events`: {source: mailgun}; secret `mailgun_signing_key`. Weak: whoever has seen
    one signature can put any event under it for as long as it is fresh."""

    name = "mailgun"
    channel = "email"
    trust: Literal["signed", "weak"] = "weak"
    secrets: tuple[str, ...] = (_SECRET,)

    def verify(
        self, request: InboundRequest, account: Account, now: datetime
    ) -> Verified | Rejected:
        """HMAC-SHA256 over timestamp and token. `once` holds the door to one body per token."""
        settings = configured.events_of(account, self.name)
        if settings is None:
            return Rejected(401, configured.NOT_CONFIGURED)
        key = account.secrets.get(_SECRET, "")
        if not key:
            return Rejected(401, configured.NO_SECRET)
        try:
            value = reading.mapping(reading.read_json(request.body))
        except ValueError:
            return Rejected(400, configured.NOT_READ)
        signed = reading.mapping(value.get("signature"))
        timestamp, token, given = (
            reading.word(signed.get(name)) for name in ("timestamp", "token", "signature")
        )
        text = (timestamp + token).encode("utf-8", "surrogatepass")
        wanted = hmac.new(key.encode(), text, sha256).hexdigest()
        if not timestamp or not token or not reading.same(given, wanted):
            return Rejected(401, configured.NOT_SIGNED)
        if not reading.is_of_now(timestamp, now, settings.tolerance_seconds or 300):
            return Rejected(401, configured.NOT_OF_NOW)
        return Verified(once=f"{timestamp}.{token}")

    def parse(self, request: InboundRequest, account: Account) -> list[ChannelEvent]:
        """The one event of the body."""
        part = reading.mapping(reading.read_json(request.body)).get("event-data")
        return [_event(part)]


def _event(part: Any) -> ChannelEvent:
    one = reading.mapping(part)
    headers = reading.mapping(reading.mapping(one.get("message")).get("headers"))
    client = reading.mapping(one.get("client-info"))
    status = reading.mapping(one.get("delivery-status"))
    reason = reading.word(status.get("message")) or reading.word(status.get("description"))
    kind, bounce = _meaning(one, status, reason)
    return reading.event(
        kind,
        reading.word(one.get("id")) or reading.digest(part),
        part,
        at=one.get("timestamp"),
        to=one.get("recipient"),
        ours=reading.mapping(one.get("user-variables")).get(reading.TAG),
        rfc=headers.get("message-id"),
        ref=one.get("id"),
        bounce=bounce,
        ip=one.get("ip"),
        agent=client.get("user-agent"),
        said=reading.word(one.get("event")),
        reason=reason or reading.word(one.get("reason")),
        url=reading.word(one.get("url")),
        bot=bool(client.get("bot")),
    )


def _meaning(
    one: Mapping[str, Any], status: Mapping[str, Any], reason: str
) -> tuple[EventKind, BounceClass]:
    kind = _KINDS.get(reading.word(one.get("event")), "unknown")
    why = reading.word(one.get("reason"))
    if kind != "bounced":
        return kind, "other"
    if one.get("event") == "rejected":
        return kind, "blocked"
    if one.get("severity") == "temporary":
        return "deferred", "transient"
    if why in _SUPPRESSED:
        return _SUPPRESSED[why], "other"
    said: BounceClass = "hard" if why in ("bounce", "suppress-bounce") else "other"
    return kind, classify(reading.word(status.get("enhanced-code"), 20), reason, said)
