"""What an account may look like, and how long things of it live."""

import re
import unicodedata
from datetime import datetime, timedelta

SESSION_IDLE = timedelta(hours=12)
SESSION_LIFE = timedelta(days=14)
HALF_SIGNED_IN = timedelta(minutes=10)  # between the password and the second factor
SEEN_EVERY = timedelta(minutes=1)  # how exactly a session says when it was used
LINK_LIFE = {
    "claim": timedelta(hours=24),
    "invite": timedelta(days=7),
    "reset": timedelta(minutes=30),
}
# Tries within TRY_WINDOW: of one account, and from one address, behind which may be an office.
TRY_WINDOW = timedelta(minutes=15)
TRIES_OF_ACCOUNT, TRIES_OF_ADDRESS = 10, 60
RESETS_OF_ACCOUNT = 3
SHORTEST, LONGEST = 12, 256
LANGUAGES = ("en", "nb")  # of the console
THEMES = ("auto", "light", "dark")

_ADDRESS = re.compile(r"[^@\s\x00-\x20<>,;\"]+@[^@\s\x00-\x20<>,;\"]+\.[^@\s\x00-\x20<>,;\"]+")


def folded(email: str) -> str:
    """The address as accounts are found by. Raises ValueError when it is none."""
    found = unicodedata.normalize("NFKC", email).strip().casefold()
    if len(found) > 254 or not _ADDRESS.fullmatch(found):
        raise ValueError("this is no email address")
    return found


def password_fault(password: str, email: str, name: str = "") -> str | None:
    """Why this is no password to take: short, long, plain or known; None when it will do.

    Length is what counts (NIST SP 800-63B, 3.1.1.2); no mixture of characters is asked for.
    """
    if len(password) < SHORTEST:
        return "short"
    if len(password) > LONGEST:
        return "long"
    plain = password.casefold()
    if len(set(plain)) < 5 or plain in "0123456789" * 26 or plain in "qwertyuiop" * 26:
        return "plain"
    known = [email.casefold(), email.partition("@")[0].casefold(), name.casefold()]
    rest = plain
    for word in sorted(filter(None, known), key=len, reverse=True):
        rest = rest.replace(word, "")
    return "known" if len(rest) < SHORTEST // 2 else None


def normal(password: str) -> str:
    """The same bytes from every keyboard: NFC, as RFC 8265 has it for passwords."""
    return unicodedata.normalize("NFC", password)


def session_over(*, now: datetime, seen_at: datetime, expires_at: datetime) -> bool:
    """Whether a session has ended: nobody used it for long, or it has lived its time."""
    return now >= expires_at or now - seen_at >= SESSION_IDLE


def name_fault(name: str) -> str | None:
    """Why this is no name: empty or long, or not one line; None when it will do."""
    if not 1 <= len(name.strip()) <= 120 or not name.isprintable():
        return "A name is one line of 1 to 120 characters."
    return None
