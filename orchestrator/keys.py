"""Everything derived from the one secret key: purpose-bound tokens, hashes, Message-IDs, sealing.

Each use has its own key by HKDF (RFC 5869), so that a token for one purpose is worthless for any
other, and a leaked hash says nothing about the rest.
"""

import base64
import hmac
import json
from functools import lru_cache
from hashlib import sha256
from typing import Any, Literal
from uuid import UUID

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from orchestrator.errors import SetupError

# page: an enrollment; open, trap, unsubscribe, reply: a message; click: a link; booking: a booking.
Purpose = Literal["page", "open", "click", "trap", "unsubscribe", "reply", "booking"]

_MAC_BYTES = 16  # 128 bits: 10^5 guesses a second find one in 10^26 years
_BLOCK = 64  # bytes that SHA-256 takes at a time


class _Mac:
    """HMAC-SHA256 (RFC 2104) of one key, whose two blocks are hashed beforehand: 1.6 us a value
    where `hmac.digest` takes 2.7, and a message has four."""

    __slots__ = ("_inner", "_outer")

    def __init__(self, key: bytes) -> None:
        block = key.ljust(_BLOCK, b"\0")
        self._inner = sha256(bytes(byte ^ 0x36 for byte in block))
        self._outer = sha256(bytes(byte ^ 0x5C for byte in block))

    def __call__(self, value: bytes) -> bytes:
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(value)
        outer.update(inner.digest())
        return outer.digest()


class Keys:
    """Keys of one installation. `secret` is at least 32 bytes."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) < 32:
            raise SetupError("AVTALE_SECRET_KEY must have at least 32 characters.")
        self._secret = secret
        self._macs: dict[str, _Mac] = {}  # by purpose: a handful

    @lru_cache(maxsize=32)  # noqa: B019 - one Keys lives as long as the process
    def _key(self, purpose: str) -> bytes:
        return HKDF(SHA256(), 32, salt=None, info=b"avtale:" + purpose.encode()).derive(
            self._secret
        )

    def _mac(self, purpose: str, value: bytes) -> bytes:
        mac = self._macs.get(purpose)
        if mac is None:
            mac = self._macs[purpose] = _Mac(self._key(purpose))
        return mac(value)

    def token(self, purpose: Purpose, subject: UUID) -> str:
        """An opaque URL-safe token (43 characters) for `subject`, good for `purpose` only."""
        raw = subject.bytes
        mac = self._mac("token:" + purpose, raw)[:_MAC_BYTES]
        return base64.urlsafe_b64encode(raw + mac)[:-1].decode()  # 32 bytes: one "=" at the end

    def read_token(self, purpose: Purpose, token: str) -> UUID | None:
        """The subject of `token`, or None for anything forged, cut or made for another purpose."""
        if len(token) != 43 or not token.isascii():
            return None
        try:
            raw = base64.b64decode(token + "=", altchars=b"-_", validate=True)
        except ValueError:
            return None
        subject, mac = raw[:16], raw[16:]
        # Unused trailing bits would let two spellings name one token.
        if base64.urlsafe_b64encode(raw).decode().rstrip("=") != token:
            return None
        if not hmac.compare_digest(mac, self._mac("token:" + purpose, subject)[:_MAC_BYTES]):
            return None
        return UUID(bytes=subject)

    def mail_token(self, subject: UUID) -> str:
        """The same for the local part of an address: base32, lower case, survives case folding."""
        mac = self._mac("mail", subject.bytes)[:10]
        return base64.b32encode(subject.bytes + mac).decode().rstrip("=").lower()

    def read_mail_token(self, token: str) -> UUID | None:
        """The message id of an address token, or None."""
        try:
            raw = base64.b32decode(token.upper() + "=" * (-len(token) % 8))
        except (ValueError, UnicodeEncodeError):
            return None
        subject, mac = raw[:16], raw[16:]
        if len(raw) != 26 or not hmac.compare_digest(mac, self._mac("mail", subject)[:10]):
            return None
        return UUID(bytes=subject)

    def address_hash(self, channel: str, address: str) -> bytes:
        """The suppression key of a canonical address: it outlives the erasure of the person."""
        return self._mac("address", f"{channel}\0{address}".encode())

    def fetcher(self, subject: UUID, place: str, user_agent: str) -> str:
        """Who fetched something of `subject`: the same for one network and user agent, another for
        every subject. "" when the network is not known."""
        if not place:
            return ""
        said = f"{place}\0{user_agent}".encode("utf-8", "replace")
        return self._mac("fetcher", subject.bytes + said)[:8].hex()

    def form_token(self, session: UUID, token_hash: bytes) -> str:
        """What every form of one session carries back: nobody else can know it (CSRF)."""
        return self._mac("form", session.bytes + token_hash)[:_MAC_BYTES].hex()

    def try_key(self, kind: str, value: str) -> bytes:
        """Under what tries of an account or an address are counted, without telling which."""
        return self._mac("try:" + kind, value.encode("utf-8", "replace"))[:_MAC_BYTES]

    def rfc_message_id(self, message_id: UUID, domain: str) -> str:
        """Message-ID (RFC 5322, 3.6.4) of a message: the same at every attempt, not guessable."""
        left = base64.b32encode(self._mac("message-id", message_id.bytes)[:20]).decode().lower()
        return f"<{left}@{domain}>"

    def fraction(self, purpose: str, subject: UUID) -> float:
        """A number in [0, 1) fixed by `subject`: jitter that is the same on every replay."""
        return int.from_bytes(self._mac("fraction:" + purpose, subject.bytes)[:7], "big") / 2**56

    def seal(self, value: dict[str, Any]) -> bytes:
        """Encrypt what must not be read from a dump of the database."""
        return self._fernet().encrypt(json.dumps(value).encode())

    def unseal(self, sealed: bytes) -> dict[str, Any]:
        """Decrypt what `seal` made. Raises SetupError when the secret key is another one."""
        try:
            value: dict[str, Any] = json.loads(self._fernet().decrypt(sealed))
        except InvalidToken:
            raise SetupError(
                "A sealed secret cannot be opened: AVTALE_SECRET_KEY has changed since."
            ) from None
        return value

    def _fernet(self) -> Fernet:
        return Fernet(base64.urlsafe_b64encode(self._key("seal")))
