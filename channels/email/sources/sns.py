"""Amazon SNS: is this message Amazon's, and of a topic that we listen to?

Only hosts `sns.<region>.amazonaws.com` of the topic's own region are believed, for the certificate
and for the confirmation, and only topics in the settings: anybody can make a topic of their own,
have Amazon sign what it says, and point it here.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, HashAlgorithm

from channels.email.sources import reading

_CERTIFICATE = re.compile(r"/SimpleNotificationService-[0-9a-f]{32}\.pem", re.ASCII)
_NOTIFICATION = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_CONFIRMATION = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
_FIELDS = {
    "Notification": _NOTIFICATION,
    "SubscriptionConfirmation": _CONFIRMATION,
    "UnsubscribeConfirmation": _CONFIRMATION,
}


def certificate_url(message: Mapping[str, Any]) -> str | None:
    """Where the certificate of this message is; None for a place that is not Amazon's."""
    url = reading.word(message.get("SigningCertURL"), 300)
    fits = _is_of_topic(url, message) and _CERTIFICATE.fullmatch(urlsplit(url).path)
    return url if fits and not urlsplit(url).query else None


def confirmation_url(message: Mapping[str, Any]) -> str | None:
    """What is to be fetched so that the topic's messages come; None for a place not Amazon's."""
    url = reading.word(message.get("SubscribeURL"), 2000)
    fits = _is_of_topic(url, message) and "Action=ConfirmSubscription" in urlsplit(url).query
    return url if fits else None


def _is_of_topic(url: str, message: Mapping[str, Any]) -> bool:
    """Whether `url` is https on the SNS host of the topic's region, and nothing else beside it."""
    parts = reading.word(message.get("TopicArn"), 500).split(":")
    if len(parts) != 6 or not url.isascii() or not url.isprintable():
        return False
    partition, region = parts[1], parts[3]
    top = "amazonaws.com.cn" if partition == "aws-cn" else "amazonaws.com"
    # Compared as text and not by a parser, so that no two parsers can see two hosts in it.
    return url.startswith(f"https://sns.{region}.{top}/") and "\\" not in url and "#" not in url


def is_signed(message: Mapping[str, Any], pem: bytes, now: datetime) -> bool:
    """Whether `message` is signed by the certificate in `pem`, which must be Amazon's for SNS and
    valid at `now`. SignatureVersion 1 is SHA1, 2 is SHA256. Never raises."""
    names = _FIELDS.get(reading.word(message.get("Type")))
    signature = reading.decode_base64(reading.word(message.get("Signature"), 4000))
    digest: HashAlgorithm | None = None
    if message.get("SignatureVersion") == "1":
        digest = SHA1()  # noqa: S303 - what Amazon signs with unless the topic asks for 2
    elif message.get("SignatureVersion") == "2":
        digest = SHA256()
    if names is None or not signature or digest is None:
        return False
    key = _key(pem, now)
    text = _canonical(message, names)
    if key is None or text is None:
        return False
    try:
        key.verify(signature, text, padding.PKCS1v15(), digest)
    except InvalidSignature:
        return False
    return True


def _canonical(message: Mapping[str, Any], names: tuple[str, ...]) -> bytes | None:
    """Name and value of each field in turn, a line each. Subject is left out when it is not there,
    every other must be."""
    lines = []
    for name in names:
        value = message.get(name)
        if value is None and name == "Subject":
            continue
        if not isinstance(value, str):
            return None
        lines += [name, value]
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogatepass")


def _key(pem: bytes, now: datetime) -> rsa.RSAPublicKey | None:
    try:
        found = x509.load_pem_x509_certificate(pem)
        key = found.public_key()
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        hosts = names.get_values_for_type(x509.DNSName)
    except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension):
        return None
    ours = any(re.fullmatch(r"sns\.(?:[a-z0-9-]+\.)?amazonaws\.com(?:\.cn)?", one) for one in hosts)
    valid = found.not_valid_before_utc <= now <= found.not_valid_after_utc
    return key if ours and valid and isinstance(key, rsa.RSAPublicKey) else None
