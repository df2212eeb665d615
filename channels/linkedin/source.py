"""The doors that the provider's events come in by: is it the provider, and what does it say."""

import hmac
import json
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Literal

from channels.base import Account, ChannelEvent, InboundRequest, Rejected, Verified
from channels.linkedin.address import canonical_address
from channels.linkedin.events import read
from channels.linkedin.settings import LinkedinSettings, Scheme, read_settings
from channels.linkedin.told import Own, unread

_TOLERANCE = 300  # seconds
_MOST = 1000  # events of one body


@dataclass
class UnipileSource:
    """One scheme of vouching for a request. The seat's settings say which of them it uses, and the
    door of the other one stays shut."""

    name: str
    scheme: Scheme
    trust: Literal["signed", "weak"]
    channel: str = "linkedin"
    secrets: tuple[str, ...] = ("webhook_secret",)

    def verify(
        self, request: InboundRequest, account: Account, now: datetime
    ) -> Verified | Rejected:
        """Check the raw bytes. Two secrets live at once while `webhook_secret_old` is set."""
        try:
            settings = read_settings(account)
        except ValueError:
            return Rejected(403, "the settings of this sender are not in order")
        if settings.signature_scheme != self.scheme:
            return Rejected(403, f"this sender's signature_scheme is {settings.signature_scheme}")
        secrets = [account.secrets.get(name) for name in ("webhook_secret", "webhook_secret_old")]
        keys = [_bytes(one) for one in secrets if one]
        if not keys:
            return Rejected(403, "this sender has no webhook_secret")
        given = request.headers.get(settings.signature_header.lower())
        if not given or not given.isascii():
            return Rejected(401, "the signature is missing or not readable")
        if self.scheme == "static_header":
            fits = [hmac.compare_digest(given.encode(), key) for key in keys]
            return Verified() if any(fits) else Rejected(401, "the header is not ours")
        return _signed(given, request.body, keys, now)

    def parse(self, request: InboundRequest, account: Account) -> list[ChannelEvent]:
        """The events of a verified request; what is not understood is `unknown`, never an error."""
        try:
            found = json.loads(request.body)
        except (ValueError, RecursionError):
            return [unread(request.body, "not JSON")]
        if not isinstance(found, list):
            return [_read(found, request.body, account, None)]
        if not 0 < len(found) <= _MOST:
            return [unread(request.body, "a list of no or too many events")]
        return [_one(item, account) for item in found]


def _one(item: object, account: Account) -> ChannelEvent:
    try:
        own = json.dumps(item)
    except (ValueError, RecursionError):
        own = repr(item)[:1000]
    return _read(item, own.encode(), account, own)


def _read(found: object, body: bytes, account: Account, own: str | None) -> ChannelEvent:
    try:
        settings = read_settings(account)
    except ValueError:
        settings = LinkedinSettings()
    try:
        address = canonical_address(account.address)
    except ValueError:
        address = None
    return read(found, body, Own(settings, address), own)


def _signed(given: str, body: bytes, keys: list[bytes], now: datetime) -> Verified | Rejected:
    """`t=<seconds>,v0=<hex>`, several v0 while a secret is changed: HMAC-SHA256 of `t.body`."""
    pairs = [part.partition("=")[::2] for part in given.split(",")]
    times = [value for name, value in pairs if name == "t"]
    marks = [value.encode() for name, value in pairs if name == "v0"]
    if len(times) != 1 or not times[0].isdigit() or len(times[0]) > 12 or not 0 < len(marks) <= 5:
        return Rejected(401, "the signature has not the form t=…,v0=…")
    wanted = [
        hmac.new(key, times[0].encode() + b"." + body, sha256).hexdigest().encode() for key in keys
    ]
    fits = [hmac.compare_digest(mark, one) for mark in marks for one in wanted]
    if not any(fits):
        return Rejected(401, "the signature does not fit")
    if abs(int(times[0]) - now.timestamp()) > _TOLERANCE:
        return Rejected(401, "the signature is of another time than now")
    return Verified()


def _bytes(secret: str) -> bytes:
    return secret.encode("utf-8", "surrogatepass")


SOURCES: tuple[UnipileSource, ...] = (
    UnipileSource("unipile", "t_v0", "signed"),
    # A header that we set ourselves covers neither the body nor the time: its word is weak.
    UnipileSource("unipile-header", "static_header", "weak"),
)
