"""SendGrid's event webhook: an array of events, signed over timestamp and body (ECDSA, P-256)."""

from datetime import datetime
from typing import Any, Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from channels.base import (
    Account,
    BounceClass,
    ChannelEvent,
    EventKind,
    InboundRequest,
    Rejected,
    Verified,
)
from channels.email.settings import p256_key
from channels.email.sources import configured, reading
from channels.email.sources.bounces import classify

_KINDS: dict[str, EventKind] = {
    "delivered": "delivered",
    "deferred": "deferred",
    "bounce": "bounced",
    "blocked": "bounced",
    "dropped": "bounced",
    "open": "opened",
    "click": "clicked",
    "spamreport": "complained",
    "unsubscribe": "unsubscribed",
    "group_unsubscribe": "unsubscribed",
}
# Why SendGrid did not even try: it remembers what happened to the address before.
_DROPPED: dict[str, tuple[EventKind, BounceClass]] = {
    "bounced address": ("bounced", "hard"),
    "invalid": ("bounced", "hard"),
    "unsubscribed address": ("unsubscribed", "other"),
    "spam reporting address": ("complained", "other"),
}
_SAID: dict[str, BounceClass] = {
    "invalid address": "hard",
    "mailbox unavailable": "transient",
    "technical": "transient",
    "frequency or volume too high": "blocked",
    "content": "blocked",
    "reputation": "blocked",
}


class SendGrid:
    """`settings.events`: {source: sendgrid, public_key: base64 of DER}."""

    name = "sendgrid"
    channel = "email"
    trust: Literal["signed", "weak"] = "signed"
    secrets: tuple[str, ...] = ()

    def verify(
        self, request: InboundRequest, account: Account, now: datetime
    ) -> Verified | Rejected:
        """ECDSA over the timestamp's digits and the raw body. The timestamp is of the delivery, and
        SendGrid documents no window: 300 s unless `tolerance_seconds` says otherwise."""
        settings = configured.events_of(account, self.name)
        key = p256_key(settings.public_key or "") if settings else None
        if settings is None or key is None:
            return Rejected(401, configured.NOT_CONFIGURED)
        given = request.headers.get("x-twilio-email-event-webhook-signature", "")
        timestamp = request.headers.get("x-twilio-email-event-webhook-timestamp", "")
        signature = reading.decode_base64(given)
        if not signature or not timestamp.isascii() or not timestamp.isdigit():
            return Rejected(401, configured.NOT_SIGNED)
        try:
            key.verify(signature, timestamp.encode() + request.body, ec.ECDSA(SHA256()))
        except InvalidSignature:
            return Rejected(401, configured.NOT_SIGNED)
        if not reading.is_of_now(timestamp, now, settings.tolerance_seconds or 300):
            return Rejected(401, configured.NOT_OF_NOW)
        try:
            value = reading.read_json(request.body)
        except ValueError:
            return Rejected(400, configured.NOT_READ)
        return Verified() if isinstance(value, list) else Rejected(400, configured.NOT_READ)

    def parse(self, request: InboundRequest, account: Account) -> list[ChannelEvent]:
        """One event each; `sg_event_id` is the same when SendGrid sends it again."""
        return [_event(one) for one in reading.read_json(request.body)]


def _event(part: Any) -> ChannelEvent:
    one = reading.mapping(part)
    said = reading.word(one.get("event"))
    reason = reading.word(one.get("reason")) or reading.word(one.get("response"))
    kind, bounce = _meaning(one, said, reason)
    return reading.event(
        kind,
        reading.word(one.get("sg_event_id")) or reading.digest(part),
        part,
        at=one.get("timestamp"),
        to=one.get("email"),
        ours=one.get(reading.TAG),
        rfc=one.get("smtp-id"),
        ref=one.get("sg_message_id"),
        bounce=bounce,
        ip=one.get("ip"),
        agent=one.get("useragent"),
        said=said,
        reason=reason,
        url=reading.word(one.get("url")),
        bot=one.get("sg_machine_open") is True,
    )


def _meaning(one: Any, said: str, reason: str) -> tuple[EventKind, BounceClass]:
    kind = _KINDS.get(said, "unknown")
    if said == "dropped":
        return _DROPPED.get(reason.strip().lower(), ("bounced", "blocked"))
    category = reading.word(one.get("bounce_classification")).lower()
    usual: BounceClass = "blocked" if one.get("type") == "blocked" or said == "blocked" else "other"
    status = reading.word(one.get("status"), 20)
    return kind, classify(status, reason, _SAID.get(category, usual))
