"""Postmark's webhooks: not signed at all, a password in the URL (basic auth) is what there is."""

from base64 import b64encode
from collections.abc import Mapping
from datetime import datetime
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

_SECRET = "postmark_password"  # noqa: S105 - the name of a secret
_KINDS: dict[str, EventKind] = {
    "Delivery": "delivered",
    "Open": "opened",
    "Click": "clicked",
    "SpamComplaint": "complained",
}
# Postmark's types of bounce; an auto-reply and whatever else it calls one are not a bounce.
_BOUNCES: dict[str, tuple[EventKind, BounceClass]] = {
    "HardBounce": ("bounced", "hard"),
    "BadEmailAddress": ("bounced", "hard"),
    "SoftBounce": ("bounced", "transient"),
    "Undeliverable": ("bounced", "other"),
    "Transient": ("deferred", "transient"),
    "DnsError": ("bounced", "transient"),
    "Blocked": ("bounced", "blocked"),
    "SpamNotification": ("bounced", "blocked"),
    "VirusNotification": ("bounced", "blocked"),
    "DMARCPolicy": ("bounced", "blocked"),
    "ManuallyDeactivated": ("bounced", "other"),
    "AddressChange": ("bounced", "other"),
    "Unknown": ("bounced", "other"),
    "SpamComplaint": ("complained", "other"),
    "Unsubscribe": ("unsubscribed", "other"),
}
_TIMES = ("DeliveredAt", "BouncedAt", "ReceivedAt", "ChangedAt")


class Postmark:
    """`settings.events`: {source: postmark, username}; secret `postmark_password`. Weak: whoever
    reads the URL in a log can say anything."""

    name = "postmark"
    channel = "email"
    trust: Literal["signed", "weak"] = "weak"
    secrets: tuple[str, ...] = (_SECRET,)

    def verify(
        self, request: InboundRequest, account: Account, now: datetime
    ) -> Verified | Rejected:
        """Basic auth (RFC 7617). There is no timestamp to be stale."""
        settings = configured.events_of(account, self.name)
        if settings is None:
            return Rejected(401, configured.NOT_CONFIGURED)
        password = account.secrets.get(_SECRET, "")
        if not password or not settings.username:
            return Rejected(401, configured.NO_SECRET)
        wanted = b64encode(f"{settings.username}:{password}".encode()).decode()
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "basic" or not reading.same(given.strip(), wanted):
            return Rejected(401, "The user name or password is missing or wrong.")
        try:
            value = reading.read_json(request.body)
        except ValueError:
            return Rejected(400, configured.NOT_READ)
        return Verified() if isinstance(value, dict) else Rejected(400, configured.NOT_READ)

    def parse(self, request: InboundRequest, account: Account) -> list[ChannelEvent]:
        """The one event of the body. Postmark gives events no id: one is made of what they say."""
        one = reading.mapping(reading.read_json(request.body))
        kind, bounce = _meaning(one)
        at = next((one[name] for name in _TIMES if one.get(name)), None)
        reason = reading.word(one.get("Details")) or reading.word(one.get("Description"))
        return [
            reading.event(
                kind,
                _id_of(one, at),
                dict(one),
                at=at,
                to=one.get("Recipient") or one.get("Email"),
                ours=reading.mapping(one.get("Metadata")).get(reading.TAG),
                ref=one.get("MessageID"),
                bounce=bounce,
                ip=reading.mapping(one.get("Geo")).get("IP"),
                agent=one.get("UserAgent"),
                said=reading.word(one.get("RecordType")),
                reason=reason,
                url=reading.word(one.get("OriginalLink")),
            )
        ]


def _id_of(one: Mapping[str, Any], at: Any) -> str:
    names = ["RecordType", "MessageID", "ID", "Recipient", "Email", "OriginalLink"]
    names += ["SuppressSending", "SuppressionReason"]
    return reading.digest(at, *(one.get(name) for name in names))


def _meaning(one: Mapping[str, Any]) -> tuple[EventKind, BounceClass]:
    said = reading.word(one.get("RecordType"))
    if said == "Bounce":
        kind, bounce = _BOUNCES.get(reading.word(one.get("Type")), ("unknown", "other"))
        return kind, classify("", reading.word(one.get("Details")), bounce)
    if said == "SubscriptionChange" and one.get("SuppressSending") is True:
        return _SUPPRESSIONS.get(reading.word(one.get("SuppressionReason")), ("unknown", "other"))
    return _KINDS.get(said, "unknown"), "other"


_SUPPRESSIONS: dict[str, tuple[EventKind, BounceClass]] = {
    "ManualSuppression": ("unsubscribed", "other"),
    "SpamComplaint": ("complained", "other"),
    "HardBounce": ("bounced", "hard"),
}
