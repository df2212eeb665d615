"""What `senders.settings` holds for email."""

import base64
import ipaddress
import json
import re
import ssl
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Literal, Self

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from channels.base import Account

Security = Literal["starttls", "tls", "plain_without_encryption"]


def is_loopback(host: str) -> bool:
    """Whether `host` is this machine, said by name or by number."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _refuse_clear(security: Security, username: str | None, host: str) -> None:
    if security == "plain_without_encryption" and username and not is_loopback(host):
        raise ValueError(
            "a password never goes out in clear: use security `starttls` or `tls`, "
            "or leave out `username`"
        )


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ImapSettings(_Settings):
    """Where the answers arrive. The password is `imap_password` among the secrets.

    `sent_folder`: where the provider puts what its SMTP server took, `\\Sent` for the one that it
    marks so; a message in doubt is looked for there. `sent_holds`: whether it keeps `every` mail,
    under the Message-ID that we gave it, so that one that is not there never left.
    """

    host: str
    port: int = Field(993, ge=1, le=65535)
    security: Security = "tls"
    username: str = ""
    folder: str = "INBOX"
    sent_folder: str | None = Field(None, min_length=1)
    sent_holds: Literal["some", "every"] = "some"
    ca_file: str | None = None

    @model_validator(mode="after")
    def _no_password_in_clear(self) -> Self:
        _refuse_clear(self.security, self.username, self.host)
        return self


class EventSettings(_Settings):
    """Which provider tells what became of the mails. What is secret is among the secrets.

    `public_key`: SendGrid's, base64 of DER. `topic_arns`: the SNS topics that are listened to.
    `username`: of Postmark's basic auth. `tolerance_seconds`: how old a signature may be.
    """

    source: Literal["sendgrid", "mailgun", "postmark", "ses", "resend"]
    tolerance_seconds: int | None = Field(None, ge=30, le=7 * 24 * 3600)
    public_key: str | None = None
    topic_arns: tuple[str, ...] = ()
    username: str = "avtale"

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.source == "sendgrid" and p256_key(self.public_key or "") is None:
            raise ValueError(
                "sendgrid needs `public_key`: the verification key that its page of the event "
                "webhook shows"
            )
        if self.source == "ses" and not self.topic_arns:
            raise ValueError("ses needs `topic_arns`: the ARNs of the SNS topics to listen to")
        if any(not _TOPIC.fullmatch(one) for one in self.topic_arns):
            raise ValueError("a topic ARN is arn:aws:sns:<region>:<account>:<name>")
        return self


class KeySettings(_Settings):
    """A provider that takes the same mail once when a header of it carries a key: Resend calls it
    `Resend-Idempotency-Key` and keeps it for a day. `seconds`: how long it is kept."""

    header: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9-]{2,60}$")
    seconds: int = Field(24 * 3600, ge=60, le=30 * 24 * 3600)

    @model_validator(mode="after")
    def _one_of_its_own(self) -> Self:
        if self.header.lower() in _HEADERS_OF_MAIL:
            raise ValueError("the key needs a header of its own")
        return self


_HEADERS_OF_MAIL = frozenset(
    {"from", "to", "cc", "bcc", "date", "subject", "sender", "reply-to", "message-id", "received"}
    | {"references", "in-reply-to", "mime-version", "content-type", "content-transfer-encoding"}
    | {"list-unsubscribe", "list-unsubscribe-post", "auto-submitted", "return-path"}
)
_TOPIC = re.compile(r"arn:aws(?:-[a-z]+)*:sns:[a-z0-9-]{1,40}:\d{12}:[\w.-]{1,256}", re.ASCII)
# What must be among the secrets for a source to be believed.
EVENT_SECRETS = {
    "mailgun": "mailgun_signing_key",
    "postmark": "postmark_password",
    "resend": "resend_secret",
}


@lru_cache(maxsize=256)
def p256_key(text: str) -> ec.EllipticCurvePublicKey | None:
    """The public key in base64 of DER; None for what is no key of the curve P-256."""
    try:
        key = serialization.load_der_public_key(base64.b64decode(text, validate=True))
    except (ValueError, UnsupportedAlgorithm):
        return None
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return key
    return None


class EmailSettings(_Settings):
    """How to hand mail over. Certificates are verified unless encryption is off in so many words.

    Times are seconds. `ca_file` names a PEM file of a private authority that is trusted as well.
    """

    host: str = Field(min_length=1)
    port: int = Field(587, ge=1, le=65535)
    security: Security = "starttls"
    username: str | None = None
    local_hostname: str | None = Field(None, pattern=r"^[A-Za-z0-9.\-\[\]:]+$")
    ca_file: str | None = None
    connect_timeout: float = Field(20, gt=0, le=60)
    command_timeout: float = Field(60, gt=0, le=300)
    # For the reply to the final dot (RFC 5321 4.5.3.2.6). With the 354 before it, a hand-over ends
    # before it is taken for one that nobody will settle (AVTALE_DOUBT_AFTER_SECONDS).
    data_timeout: float = Field(300, gt=0, le=600)
    connections: int = Field(10, ge=1, le=100)  # open at once to this account, per process
    address_tokens: bool = False
    tracking: bool = True
    postmaster_name: str = ""
    imap: ImapSettings | None = None
    events: EventSettings | None = None
    idempotency: KeySettings | None = None

    @model_validator(mode="after")
    def _no_password_in_clear(self) -> Self:
        _refuse_clear(self.security, self.username, self.host)
        return self


def parse_settings(values: object) -> EmailSettings:
    """The settings of a sender. Raises ValueError in words that name the field."""
    try:
        return EmailSettings.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"email settings: {where}: {first['msg']}".replace(": :", ":")) from None


@lru_cache(maxsize=1024)
def _cached(items: str) -> EmailSettings:
    return parse_settings(json.loads(items))


_MAX_KEPT = 4096
_kept: dict[int, tuple[Mapping[str, Any], EmailSettings]] = {}


def read_settings(account: Account) -> EmailSettings:
    """The settings of `account`. Raises ValueError.

    Twice for every message: by the identity of the mapping, which is held on to and which nobody
    changes (0.2 us; 3.6 by its content).
    """
    values = account.settings
    kept = _kept.get(id(values))
    if kept is not None and kept[0] is values:
        return kept[1]
    found = _cached(json.dumps(dict(values), sort_keys=True))
    if len(_kept) >= _MAX_KEPT:
        _kept.pop(next(iter(_kept)))
    _kept[id(values)] = (values, found)
    return found


@lru_cache(maxsize=64)
def tls_context(ca_file: str | None) -> ssl.SSLContext:
    """A verifying client context, TLS 1.2 and newer. Made once: loading the roots takes long."""
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file is not None:
        context.load_verify_locations(cafile=ca_file)
    return context
