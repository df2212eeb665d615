"""Standard Webhooks signatures (version 1): HMAC-SHA256 over `id.timestamp.body`.

The specification is a page long, and what a library does with a malformed header decides between
401 and 500; so it is written out here.
"""

import base64
import binascii
import hmac
from datetime import datetime
from hashlib import sha256

TOLERANCE_SECONDS = 300
_PREFIX = "whsec_"


def key_of(secret: str) -> bytes:
    """The key in `whsec_<base64>`. Raises ValueError for what is no such secret, or a short one."""
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) < 24:
        raise ValueError("a webhook secret is whsec_ and at least 24 bytes as base64")
    return key


def sign(key: bytes, webhook_id: str, timestamp: int, body: bytes) -> str:
    """The value of the header `webhook-signature`."""
    signed = f"{webhook_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, sha256)).decode()


def verify(
    key: bytes, *, webhook_id: str, timestamp: str, signature: str, body: bytes, now: datetime
) -> bool:
    """Whether one of the signatures (several while a secret is rotated) is ours and of now.

    Never raises, whatever the headers hold; compares in constant time.
    """
    plain = timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12
    if not plain or not _printable(webhook_id) or len(webhook_id) > 255:
        return False
    if abs(now.timestamp() - int(timestamp)) > TOLERANCE_SECONDS:
        return False
    wanted = sign(key, webhook_id, int(timestamp), body).encode()
    found = False
    for one in signature.split(" ")[:20]:
        found |= hmac.compare_digest(one.encode("utf-8", "surrogatepass"), wanted)
    return found


def _printable(text: str) -> bool:
    return bool(text) and text.isascii() and text.isprintable()
