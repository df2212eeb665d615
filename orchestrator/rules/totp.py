"""Codes of an authenticator application: TOTP (RFC 6238) over HMAC-SHA-1, six digits, 30 seconds.

SHA-1 because that is what the applications can do; in an HMAC it is sound.
"""

import base64
import hmac
import struct
from urllib.parse import quote, urlencode

STEP = 30  # seconds
DIGITS = 6
# One step to either side: clocks differ, and people type slowly (RFC 6238, section 5.2).
_DRIFT = 1


def code_at(secret: bytes, step: int, digits: int = DIGITS) -> str:
    """The code of one time step (RFC 4226, section 5.3)."""
    mac = hmac.digest(secret, struct.pack(">Q", step), "sha1")
    at = mac[-1] & 15
    number = struct.unpack(">I", mac[at : at + 4])[0] & 0x7FFFFFFF
    return str(number % 10**digits).zfill(digits)


def step_of(secret: bytes, code: str, *, seconds: float, after: int | None) -> int | None:
    """The time step that `code` belongs to, or None. `seconds` since 1970; a step that is not later
    than `after` was used already and does not count again (RFC 6238, section 5.2)."""
    typed = code.replace(" ", "")
    if len(typed) != DIGITS or not (typed.isascii() and typed.isdigit()):
        return None
    now = int(seconds) // STEP
    for step in range(now - _DRIFT, now + _DRIFT + 1):
        fits = hmac.compare_digest(code_at(secret, step), typed)
        if fits and (after is None or step > after):
            return step
    return None


def spelled(secret: bytes) -> str:
    """The secret for typing it in by hand: base32 in groups of four."""
    plain = base64.b32encode(secret).decode().rstrip("=")
    return " ".join(plain[at : at + 4] for at in range(0, len(plain), 4))


def address(secret: bytes, *, account: str, issuer: str) -> str:
    """The `otpauth:` address that a QR code carries."""
    label = f"{quote(issuer, safe='')}:{quote(account, safe='@')}"
    asked = {"secret": base64.b32encode(secret).decode().rstrip("="), "issuer": issuer}
    return f"otpauth://totp/{label}?{urlencode(asked, quote_via=quote)}"
