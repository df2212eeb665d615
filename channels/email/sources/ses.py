"""Amazon SES by way of SNS: notifications of an identity, or the events of a configuration set."""

from collections.abc import Callable, Mapping
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
from channels.email.sources import configured, reading, sns
from channels.email.sources.bounces import classify

# SNS tries for six hours, with the signature of the first time.
_TOLERANCE = 7 * 3600
_MOST = 50  # recipients of one message; ours have one
_Meaning = tuple[EventKind, BounceClass, str]


class Ses:
    """`settings.events`: {source: ses, topic_arns: [...]}. The certificate is fetched by the door
    (`wants`), so that `verify` is pure; a subscription is confirmed for these topics only."""

    name = "ses"
    channel = "email"
    trust: Literal["signed", "weak"] = "signed"
    secrets: tuple[str, ...] = ()

    def wants(self, request: InboundRequest, account: Account) -> tuple[str, ...]:
        """The signing certificate, when the message is of a topic that this sender listens to."""
        message = _message(request, account)
        url = sns.certificate_url(message) if isinstance(message, Mapping) else None
        return (url,) if url else ()

    def verify(
        self, request: InboundRequest, account: Account, now: datetime
    ) -> Verified | Rejected:
        """The signature over the canonical fields, by the certificate in `request.fetched`."""
        message = _message(request, account)
        if isinstance(message, Rejected):
            return message
        url = sns.certificate_url(message)
        if url is None:
            return Rejected(403, "The certificate is not at Amazon's.")
        pem = request.fetched.get(url)
        if pem is None or not sns.is_signed(message, pem, now):
            return Rejected(401, configured.NOT_SIGNED)
        settings = configured.events_of(account, self.name)
        tolerance = (settings and settings.tolerance_seconds) or _TOLERANCE
        at = reading.instant(message["Timestamp"])
        if at is None or abs((now - at).total_seconds()) > tolerance:
            return Rejected(401, configured.NOT_OF_NOW)
        if message["Type"] != "SubscriptionConfirmation":
            return Verified()
        follow = sns.confirmation_url(message)
        return Verified(follow=follow) if follow else Rejected(403, "It confirms somewhere else.")

    def parse(self, request: InboundRequest, account: Account) -> list[ChannelEvent]:
        """One event a recipient; `MessageId` of SNS is the same when it is delivered again."""
        message = reading.mapping(reading.read_json(request.body))
        outer = reading.word(message.get("MessageId"))
        try:
            text = str(message.get("Message", ""))
            inner = reading.mapping(reading.read_json(text.encode()))
        except ValueError:  # also half a surrogate pair
            inner = {}
        if message.get("Type") != "Notification" or not inner:
            said = reading.word(message.get("Type"))
            return [reading.event("unknown", outer, None, at=message.get("Timestamp"), said=said)]
        return _events(outer, inner)


def _message(request: InboundRequest, account: Account) -> Mapping[str, Any] | Rejected:
    settings = configured.events_of(account, Ses.name)
    if settings is None:
        return Rejected(401, configured.NOT_CONFIGURED)
    try:
        value = reading.read_json(request.body)
    except ValueError:
        return Rejected(400, configured.NOT_READ)
    if not isinstance(value, dict):
        return Rejected(400, configured.NOT_READ)
    if value.get("TopicArn") not in settings.topic_arns:
        return Rejected(403, "This sender does not listen to this topic.")
    return value


def _events(outer: str, inner: Mapping[str, Any]) -> list[ChannelEvent]:
    said = reading.word(inner.get("eventType")) or reading.word(inner.get("notificationType"))
    member, people, reader = _READERS.get(said, ("", "", _nothing))
    about = reading.mapping(inner.get(member))
    mail = reading.mapping(inner.get("mail"))
    named = reading.items(about.get(people)) or reading.items(mail.get("destination"))
    made = []
    for number, one in enumerate(named[:_MOST] or [None]):
        recipient = reading.mapping(one)
        kind, bounce, reason = reader(about, recipient)
        made.append(
            reading.event(
                kind,
                f"{outer}:{number}" if number else outer,
                dict(inner),
                at=about.get("timestamp") or mail.get("timestamp"),
                to=recipient.get("emailAddress") if recipient else one,
                ours=reading.mapping(mail.get("tags")).get(reading.TAG),
                rfc=_message_id(mail),
                ref=mail.get("messageId"),
                bounce=bounce,
                ip=about.get("ipAddress"),
                agent=about.get("userAgent") if said in ("Open", "Click") else None,
                said=said,
                reason=reason,
                url=reading.word(about.get("link")),
            )
        )
    return made


def _message_id(mail: Mapping[str, Any]) -> Any:
    """Our own Message-ID: `mail.messageId` is one of SES's making."""
    for one in map(reading.mapping, reading.items(mail.get("headers"))):
        if reading.word(one.get("name")).lower() == "message-id":
            return one.get("value")
    return reading.mapping(mail.get("commonHeaders")).get("messageId")


def _bounce(about: Mapping[str, Any], recipient: Mapping[str, Any]) -> _Meaning:
    kind, sub = reading.word(about.get("bounceType")), reading.word(about.get("bounceSubType"))
    status = reading.word(recipient.get("status"), 20)
    reason = reading.word(recipient.get("diagnosticCode")) or sub
    if sub == "MailboxFull":
        return "bounced", "mailbox_full", reason
    if sub in ("MessageTooLarge", "ContentRejected", "AttachmentRejected"):
        return "bounced", "blocked", reason
    if kind == "Permanent":
        return "bounced", classify(status, reason, "hard"), reason
    if kind == "Transient":
        # SES calls an out-of-office notice a transient bounce; it has no status of a failure.
        return ("bounced" if status or recipient.get("action") else "unknown"), "transient", reason
    return "bounced", "other", reason


def _complaint(about: Mapping[str, Any], recipient: Mapping[str, Any]) -> _Meaning:
    said = reading.word(about.get("complaintFeedbackType"))
    # A report of a failed authentication, or of a mail that is no spam, is no complaint.
    return ("unknown" if said in ("auth-failure", "not-spam") else "complained"), "other", said


def _subscription(about: Mapping[str, Any], recipient: Mapping[str, Any]) -> _Meaning:
    gone = reading.mapping(about.get("newTopicPreferences")).get("unsubscribeAll") is True
    return ("unsubscribed" if gone else "unknown"), "other", ""


def _nothing(about: Mapping[str, Any], recipient: Mapping[str, Any]) -> _Meaning:
    return "unknown", "other", reading.word(about.get("reason"))


def _always(
    kind: EventKind, bounce: BounceClass = "other"
) -> Callable[[Mapping[str, Any], Mapping[str, Any]], _Meaning]:
    return lambda about, _recipient: (kind, bounce, reading.word(about.get("reason")))


# Type of event: its member, the member's list of recipients, what it means.
_READERS: dict[str, tuple[str, str, Callable[..., _Meaning]]] = {
    "Bounce": ("bounce", "bouncedRecipients", _bounce),
    "Complaint": ("complaint", "complainedRecipients", _complaint),
    "Delivery": ("delivery", "recipients", _always("delivered")),
    "DeliveryDelay": ("deliveryDelay", "delayedRecipients", _always("deferred")),
    "Reject": ("reject", "", _always("bounced", "blocked")),
    "Open": ("open", "", _always("opened")),
    "Click": ("click", "", _always("clicked")),
    "Subscription": ("subscription", "", _subscription),
}
