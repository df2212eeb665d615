"""Requests as each provider would make them, signed by keys of the tests."""

import base64
import hmac
import json
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID

from channels.base import Account, InboundRequest
from channels.email.sources import SOURCES
from orchestrator.ids import uuid7

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
LATE = datetime(2099, 1, 1, tzinfo=UTC)
TOPIC = "arn:aws:sns:eu-north-1:123456789012:mail-events"
CERTIFICATE = f"https://sns.eu-north-1.amazonaws.com/SimpleNotificationService-{'0a' * 16}.pem"
SECRETS = {
    "mailgun": {"mailgun_signing_key": "key-of-the-tests"},
    "postmark": {"postmark_password": "a password of the tests"},
    "resend": {"resend_secret": "whsec_" + base64.b64encode(b"r" * 24).decode()},
}
BY_NAME = {one.name: one for one in SOURCES}


@cache
def sendgrid_key() -> ec.EllipticCurvePrivateKey:
    """SendGrid's key in the tests."""
    return ec.generate_private_key(ec.SECP256R1())


def public_key() -> str:
    """Its public half, as SendGrid's page shows it."""
    der = (
        sendgrid_key()
        .public_key()
        .public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return base64.b64encode(der).decode()


def amazon(
    host: str = "sns.amazonaws.com", until: datetime = LATE
) -> tuple[rsa.RSAPrivateKey, bytes]:
    """Amazon's key in the tests, and its certificate (PEM)."""
    return _made(host, until)


@cache
def _made(host: str, until: datetime) -> tuple[rsa.RSAPrivateKey, bytes]:
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(until)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return key, made.public_bytes(serialization.Encoding.PEM)


def account(source: str, secrets: dict[str, str] | None = None, **settings: Any) -> Account:
    """A sender that takes the events of `source`."""
    needed: dict[str, Any] = {
        "sendgrid": {"public_key": public_key()},
        "ses": {"topic_arns": [TOPIC]},
    }.get(source, {})
    events = {"source": source, **needed, **settings}
    held = SECRETS.get(source, {}) if secrets is None else secrets
    values = {"host": "smtp.example", "events": events}
    return Account(uuid7(), "kari", "kari@sender.example", "Kari", values, held)


def request(source: str, payload: Any, at: datetime = NOW, number: str = "msg_1") -> InboundRequest:
    """A request that carries `payload` (a value, or the bytes of a body), signed at `at`."""
    stamp = str(int(at.timestamp()))
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    match source:
        case "sendgrid":
            made = sendgrid_key().sign(stamp.encode() + body, ec.ECDSA(hashes.SHA256()))
            name = "x-twilio-email-event-webhook-"
            signature = base64.b64encode(made).decode()
            return InboundRequest({name + "signature": signature, name + "timestamp": stamp}, body)
        case "mailgun":
            return InboundRequest({}, _mailgun(payload, stamp, number))
        case "postmark":
            login = base64.b64encode(b"avtale:a password of the tests").decode()
            return InboundRequest({"authorization": f"Basic {login}"}, body)
        case "ses":
            return sns_request({"Message": json.dumps(payload), "Type": "Notification"}, at, number)
        case _:
            key = b"r" * 24
            text = f"{number}.{stamp}.".encode() + body
            signature = "v1," + base64.b64encode(hmac.digest(key, text, sha256)).decode()
            values = {"id": number, "timestamp": stamp, "signature": f"v1,AAAA {signature}"}
            return InboundRequest({f"svix-{name}": value for name, value in values.items()}, body)


def _mailgun(payload: Any, stamp: str, token: str) -> bytes:
    if isinstance(payload, bytes):
        return payload
    key = SECRETS["mailgun"]["mailgun_signing_key"].encode()
    signature = hmac.new(key, (stamp + token).encode(), sha256).hexdigest()
    signed = {"timestamp": stamp, "token": token, "signature": signature}
    return json.dumps({"signature": signed, "event-data": payload}).encode()


def sns_request(
    values: dict[str, Any],
    at: datetime = NOW,
    number: str = "msg_1",
    version: str = "2",
    until: datetime = LATE,
) -> InboundRequest:
    """An SNS message, signed by the certificate of the tests, which comes with it."""
    key, pem = amazon(until=until)
    message: dict[str, Any] = {
        "SignatureVersion": version,
        "MessageId": number,
        "TopicArn": TOPIC,
        "Timestamp": at.strftime("%Y-%m-%dT%H:%M:%S.123Z"),
        "SigningCertURL": CERTIFICATE,
    } | values
    names = ["Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token"]
    text = "".join(
        f"{name}\n{message[name]}\n" for name in [*names, "TopicArn", "Type"] if name in message
    )
    digest = hashes.SHA256() if version == "2" else hashes.SHA1()
    made = key.sign(text.encode(), padding.PKCS1v15(), digest)
    message["Signature"] = base64.b64encode(made).decode()
    return InboundRequest({}, json.dumps(message).encode(), fetched={CERTIFICATE: pem})
