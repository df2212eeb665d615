"""Who a person is on the network: the public identifier at the end of their profile's address."""

import re
import unicodedata
from urllib.parse import quote, unquote, urlsplit

_HOST = re.compile(r"(?i)(?:[a-z0-9-]+\.)?linkedin\.com")
_PATH = re.compile(r"/(?:mwlite/)?(?:in|pub)/([^/]+)(?:/.*)?", re.DOTALL)
# The network's own ids are case-sensitive and change with who looks: nothing to keep.
_INNER_ID = re.compile(r"AC[ow]AA[A-Za-z0-9_-]{20,}")
_LONGEST = 100


def canonical_address(address: str) -> str:
    """The public identifier, lower case, of an identifier or of a profile's address.

    Raises ValueError in words for people.
    """
    given = unicodedata.normalize("NFC", address.strip())
    try:
        found = unquote(_identifier(given), errors="strict")
    except UnicodeDecodeError:
        found = ""
    if _INNER_ID.fullmatch(found):
        raise ValueError(
            f"`{given[:120]}` is an inner id and no address: open the profile and copy its address"
        )
    made = unicodedata.normalize("NFC", found.lower())
    if not 3 <= len(made) <= _LONGEST or not all(map(_fits, made)) or set(made) <= set("._-"):
        raise ValueError(
            f"`{given[:120]}` is no address of this channel: give the profile's address, "
            "such as linkedin.com/in/ola-hansen, or what stands after `/in/`"
        )
    return made


def _identifier(given: str) -> str:
    if "/" not in given:
        return given
    try:
        parts = urlsplit(given if "://" in given else f"https://{given}")
        host = parts.hostname or ""
    except ValueError:
        return ""
    found = _PATH.fullmatch(parts.path)
    if parts.scheme not in ("http", "https") or not _HOST.fullmatch(host) or found is None:
        return ""
    return found[1]


def _fits(character: str) -> bool:
    """Letters, marks and numbers of any script, and pictures: what vanity addresses may hold."""
    return character in "-_." or unicodedata.category(character)[0] in "LMN" or _picture(character)


def _picture(character: str) -> bool:
    return unicodedata.category(character) == "So"


def profile_page(base: str, address: str) -> str:
    """The page of the person called `address` (canonical) below `base`."""
    return f"{base.rstrip('/')}/{quote(address, safe='')}/"
