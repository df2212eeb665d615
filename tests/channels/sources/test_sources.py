"""What each provider says, in our words; and what is no provider's is refused, never an error."""

import contextlib
import json
from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.base import InboundRequest, Rejected, Verified
from channels.email.adapter import EmailChannel
from channels.email.sources import SOURCES
from channels.email.sources.bounces import classify
from channels.email.sources.reading import read_json
from tests.channels.make import draft
from tests.channels.sources.signing import (
    BY_NAME,
    CERTIFICATE,
    NOW,
    SECRETS,
    TOPIC,
    account,
    amazon,
    request,
    sns_request,
)

NAMES = [one.name for one in SOURCES]
FIXTURES = Path(__file__).parent / "fixtures"
CASES = [
    (name, number, case)
    for name in NAMES
    for number, case in enumerate(json.loads((FIXTURES / f"{name}.json").read_text()))
]


@pytest.mark.parametrize(("name", "number", "case"), CASES, ids=lambda one: str(one)[:20])
def test_each_event_in_our_words(name: str, number: int, case: dict[str, Any]) -> None:
    source, sender = BY_NAME[name], account(name)
    asked = request(name, case["payload"])
    assert isinstance(source.verify(asked, sender, NOW), Verified)
    [event] = source.parse(asked, sender)
    wanted = dict(case["expect"])
    assert wanted.pop("detail", {}).items() <= event.detail.items()
    if "message_id" in wanted:
        wanted["message_id"] = UUID(wanted["message_id"])
    assert {field: getattr(event, field) for field in wanted} == wanted
    assert event.bounce is None or event.kind == "bounced"
    assert event.occurred_at is not None
    assert event.occurred_at.year == 2026
    assert event.external_id
    assert event.detail["raw"]
    again = source.parse(request(name, case["payload"], NOW + timedelta(minutes=2)), sender)
    assert again[0].external_id == event.external_id


@pytest.mark.parametrize("name", NAMES)
def test_events_that_differ_have_ids_that_differ(name: str) -> None:
    found = []
    for _, number, case in (one for one in CASES if one[0] == name):
        found += BY_NAME[name].parse(
            request(name, case["payload"], number=f"m{number}"), account(name)
        )
    assert len({one.external_id for one in found}) == len(found)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("secrets", [{}, None])
def test_empty_or_missing_secrets_refuse(name: str, secrets: dict[str, str] | None) -> None:
    held = {} if secrets is not None else dict.fromkeys(SECRETS.get(name, {}), "")
    asked = request(name, {"event": "x"} if name == "mailgun" else [])
    sender = account(name, held)
    if name == "sendgrid":
        sender = replace(sender, settings={"host": "h", "events": {"source": "sendgrid"}})
    if name == "ses":
        sender = replace(sender, settings={"host": "h", "events": {"source": "ses"}})
    verdict = BY_NAME[name].verify(asked, sender, NOW)
    assert isinstance(verdict, Rejected)
    assert verdict.status == 401


@pytest.mark.parametrize("name", NAMES)
def test_a_sender_of_another_provider_is_refused(name: str) -> None:
    other = NAMES[NAMES.index(name) - 1]
    for sender in (
        account(other, SECRETS.get(name)),
        replace(account(name), settings={"host": "h"}),
    ):
        verdict = BY_NAME[name].verify(request(name, {}), sender, NOW)
        assert isinstance(verdict, Rejected)


@pytest.mark.parametrize("name", [one for one in NAMES if one != "postmark"])
def test_what_is_stale_is_refused_and_how_stale_can_be_set(name: str) -> None:
    payload = [] if name == "sendgrid" else {}
    asked = request(name, payload)
    patience = 7 * 3600 if name == "ses" else 300
    for seconds, fits in ((0, True), (patience - 2, True), (patience + 2, False)):
        for at in (NOW + timedelta(seconds=seconds), NOW - timedelta(seconds=seconds)):
            verdict = BY_NAME[name].verify(asked, account(name), at)
            assert isinstance(verdict, Verified) is fits
    patient = account(name, tolerance_seconds=86_400)
    assert isinstance(BY_NAME[name].verify(asked, patient, NOW + timedelta(hours=20)), Verified)


@pytest.mark.parametrize("name", ["sendgrid", "postmark", "resend", "mailgun"])
@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff", b"[" * 100_000, b'{"a":' * 5000, b"NaN", b'"x"', b"7", b"9" * 6000],
    ids=range(9),
)
def test_a_body_that_cannot_be_read_is_a_400(name: str, body: bytes) -> None:
    verdict = BY_NAME[name].verify(request(name, body), account(name), NOW)
    assert isinstance(verdict, Rejected)
    assert verdict.status in (400, 401)


def test_no_signature_of_two_providers_covers_what_happened() -> None:
    assert {one.name for one in SOURCES if one.trust == "weak"} == {"mailgun", "postmark"}
    asked = request("mailgun", {"event": "opened"})
    verdict = BY_NAME["mailgun"].verify(asked, account("mailgun"), NOW)
    assert isinstance(verdict, Verified)
    assert verdict.once == f"{int(NOW.timestamp())}.msg_1"


_headers = st.dictionaries(
    st.sampled_from(
        [
            "authorization",
            "svix-id",
            "svix-timestamp",
            "svix-signature",
            "webhook-id",
            "x-twilio-email-event-webhook-signature",
            "x-twilio-email-event-webhook-timestamp",
        ]
    ),
    st.text(max_size=40) | st.just("Basic æøå") | st.just("9" * 400) | st.just("-1"),
)
_NAMES = [
    *("event", "event-data", "signature", "timestamp", "token", "mail", "bounce", "data", "type"),
    *("RecordType", "Type", "to", "tags", "headers", "message", "delivery-status", "Message"),
    *("TopicArn", "bouncedRecipients", "eventType", "Metadata", "email", "Geo", "click", "open"),
    *("failed", "user-variables", "client-info", "complaint"),
]
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(_NAMES),
            inner,
            max_size=5,
        )
    ),
    max_leaves=15,
)


@given(st.sampled_from(NAMES), _headers, _json.map(json.dumps).map(str.encode) | st.binary())
def test_no_request_is_accepted_unsigned_or_makes_a_source_raise(
    name: str, headers: dict[str, str], body: bytes
) -> None:
    asked = InboundRequest(headers, body)
    sender = account(name)
    assert isinstance(BY_NAME[name].verify(asked, sender, NOW), Rejected)
    if name == "ses":
        assert BY_NAME["ses"].wants(asked, sender) == ()


@settings(max_examples=300)
@given(st.sampled_from(NAMES), _json)
def test_no_signed_payload_makes_a_parser_raise(name: str, payload: Any) -> None:
    if name == "sendgrid":
        payload = [payload]
    asked = request(name, payload)
    if isinstance(BY_NAME[name].verify(asked, account(name), NOW), Verified):
        for event in BY_NAME[name].parse(asked, account(name)):
            assert event.external_id


@pytest.mark.parametrize("version", ["1", "2"])
def test_sns_is_believed_for_known_topics_and_amazons_hosts_only(version: str) -> None:
    ses, sender = BY_NAME["ses"], account("ses")
    values = {"Type": "Notification", "Message": "{}", "Subject": "about"}
    assert ses.wants(sns_request(values, version=version), sender) == (CERTIFICATE,)
    assert isinstance(ses.verify(sns_request(values, version=version), sender, NOW), Verified)
    for change in (
        {"TopicArn": TOPIC + "x"},
        {"TopicArn": None},
        {"SigningCertURL": CERTIFICATE.replace("https", "http")},
        {"SigningCertURL": CERTIFICATE.replace("eu-north-1", "eu-west-1")},
        {"SigningCertURL": CERTIFICATE.replace("amazonaws.com", "amazonaws.com.evil.example")},
        {"SigningCertURL": CERTIFICATE.replace("https://", "https://evil.example\\@")},
        {"SigningCertURL": CERTIFICATE.replace("https://", "https://user@")},
        {"SigningCertURL": CERTIFICATE + "?x=1"},
        {"SigningCertURL": CERTIFICATE.replace("/Simple", "/../Simple")},
        {"SigningCertURL": ["x"]},
    ):
        asked = sns_request(values | change, version=version)
        assert ses.wants(asked, sender) == ()
        verdict = ses.verify(asked, sender, NOW)
        assert isinstance(verdict, Rejected)
        assert verdict.status == 403


def test_a_certificate_of_somebody_else_or_of_another_time_is_refused() -> None:
    ses, sender = BY_NAME["ses"], account("ses", tolerance_seconds=86_400)
    asked = sns_request({"Type": "Notification", "Message": "{}"})
    stranger = replace(asked, fetched={CERTIFICATE: amazon("mail.evil.example")[1]})
    assert isinstance(ses.verify(stranger, sender, NOW), Rejected)
    until = NOW + timedelta(days=1)
    values = {"Type": "Notification", "Message": "{}"}
    for seconds, fits in ((-1, True), (1, False)):
        at = until + timedelta(seconds=seconds)
        asked = sns_request(values, at, until=until)
        assert isinstance(ses.verify(asked, sender, at), Verified) is fits


def test_a_subscription_is_confirmed_at_amazon_or_not_at_all() -> None:
    ses, sender = BY_NAME["ses"], account("ses")
    url = "https://sns.eu-north-1.amazonaws.com/?Action=ConfirmSubscription&Token=abc"
    values = {"Type": "SubscriptionConfirmation", "Message": "hi", "Token": "abc"}
    asked = sns_request(values | {"SubscribeURL": url})
    assert ses.verify(asked, sender, NOW) == Verified(follow=url)
    [event] = ses.parse(asked, sender)
    assert event.kind == "unknown"
    for other in (
        "http" + url[5:],
        url.replace("eu-north-1", "us-east-1"),
        url.replace("amazonaws.com", "evil.example"),
        url.replace("ConfirmSubscription", "Unsubscribe"),
    ):
        verdict = ses.verify(sns_request(values | {"SubscribeURL": other}), sender, NOW)
        assert isinstance(verdict, Rejected)


def test_two_recipients_are_two_events() -> None:
    people = [{"emailAddress": f"{name}@x.example", "action": "failed"} for name in "ab"]
    bounce = {"bounceType": "Permanent", "bouncedRecipients": people}
    asked = request("ses", {"eventType": "Bounce", "mail": {}, "bounce": bounce})
    first, second = BY_NAME["ses"].parse(asked, account("ses"))
    assert (first.address, second.address) == ("a@x.example", "b@x.example")
    assert (first.external_id, second.external_id) == ("msg_1", "msg_1:1")


@pytest.mark.parametrize(
    ("status", "text", "said", "wanted"),
    [
        ("5.1.1", "", "other", "hard"),
        ("5.1.10", "", "other", "hard"),
        ("5.1.8", "bad sender", "other", "other"),
        ("5.2.2", "user unknown", "hard", "mailbox_full"),
        ("4.2.2", "", "hard", "mailbox_full"),
        ("4.4.1", "", "hard", "transient"),
        ("5.7.26", "", "hard", "blocked"),
        ("", "550 5.1.1 no such user", "other", "hard"),
        ("", "550 No such user here", "other", "hard"),
        ("", "mailbox is full", "hard", "mailbox_full"),
        ("", "rejected as spam", "hard", "blocked"),
        ("", "192.5.1.1 went away", "other", "other"),
        ("", "", "hard", "hard"),
    ],
)
def test_classes_of_bounces(status: str, text: str, said: Any, wanted: str) -> None:
    assert classify(status, text, said) == wanted


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_reading_json_raises_value_error_only(body: bytes) -> None:
    with contextlib.suppress(ValueError):
        read_json(body)


@pytest.mark.parametrize(
    ("events", "secrets", "names"),
    [
        ({"source": "sendgrid"}, {}, "public_key"),
        ({"source": "sendgrid", "public_key": "AAAA"}, {}, "public_key"),
        ({"source": "ses"}, {}, "topic_arns"),
        ({"source": "ses", "topic_arns": ["arn:aws:s3:::x"]}, {}, "topic ARN"),
        ({"source": "mailgun"}, {}, "mailgun_signing_key"),
        ({"source": "postmark"}, {"postmark_password": ""}, "postmark_password"),
        ({"source": "resend"}, {}, "resend_secret"),
        ({"source": "pigeon"}, {}, "source"),
        ({"source": "resend", "tolerance_seconds": 1}, {"resend_secret": "x"}, "tolerance_seconds"),
    ],
)
def test_settings_that_cannot_work_are_refused_when_they_are_made(
    events: dict[str, Any], secrets: dict[str, str], names: str
) -> None:
    with pytest.raises(ValueError, match=names):
        EmailChannel().check_settings({"host": "h", "events": events}, secrets)


@pytest.mark.parametrize("name", NAMES)
def test_a_mail_carries_its_id_to_the_provider(name: str) -> None:
    made = EmailChannel().freeze(account(name), draft(message_id=UUID(int=7)))
    head = made.partition(b"\r\n\r\n")[0]
    assert all(len(line) < 100 for line in head.splitlines())
    parsed = message_from_bytes(made)
    ours = str(UUID(int=7))
    wanted = {
        "sendgrid": ("X-SMTPAPI", json.dumps({"unique_args": {"avtale_message": ours}})),
        "mailgun": ("X-Mailgun-Variables", json.dumps({"avtale_message": ours})),
        "postmark": ("X-PM-Metadata-avtale_message", ours),
        "ses": ("X-SES-MESSAGE-TAGS", f"avtale_message={ours}"),
    }
    assert (parsed["X-PM-KeepID"] == "true") is (name == "postmark")
    if name in wanted:
        header, value = wanted[name]
        assert parsed[header] == value
    assert parsed["Message-ID"] == "<seven@sender.example>"
