"""What stands in a mail, as text: headers, addresses, ids and bodies. No bytes raise."""

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from email.errors import MessageError
from email.header import decode_header, make_header
from email.utils import getaddresses, parsedate_to_datetime

from orchestrator.rules.mail.html import as_text
from orchestrator.rules.mail.mime import Mail

__all__ = ["ADDRESS", "Mail", "addresses", "body", "decoded", "header", "headers", "ids", "walk"]

_LIMIT = 100_000  # characters of text that are looked at: a person types less, a thread is below
# Any letter may be in an address (RFC 6531); the punctuation of Chinese text stands around it.
_LETTERS = r"\u00a1-\u2fff\u3040-\ufeff\uff10-\uff19\uff21-\U0010ffff"
_LABEL = rf"[A-Za-z0-9{_LETTERS}-]{{1,63}}"
_LOCAL = rf"[A-Za-z0-9.!#$%&'*+/=?^_`{{|}}~\u0080-\u00a0{_LETTERS}-]"
# It begins where its letters do: tried from each of them, a long word took time with its square.
_INSIDE = _LOCAL.replace("=", "").replace("'", "")
ADDRESS = re.compile(rf"(?<!{_INSIDE}){_LOCAL}{{1,128}}+@{_LABEL}(?:\.{_LABEL}){{1,10}}")
_ID = re.compile(r"<[^<>\s]{1,900}>")
_MOST_ADDRESSES = 12_000  # characters of headers: the library takes a microsecond for each, or ten
_CONTROL = re.compile(r"[\ud800-\udfff\0]")
# What stands in for text of an unknown charset, most likely first.
_OLD_CHARSETS = {"iso-8859-8-i": "iso-8859-8", "x-unknown": "utf-8", "unknown-8bit": "utf-8"}


def parse(raw: bytes) -> Mail:
    """The mail in these bytes; any bytes are some mail."""
    return Mail(raw)


def header(mail: Mail, name: str) -> str:
    """The decoded value of the first such header, on one line, of at most 2,000 characters; empty
    when it is missing."""
    values = mail.all(name)
    return _decode(values[0][:8000])[:2000] if values else ""


def headers(mail: Mail, name: str) -> list[str]:
    """The decoded values of the first 50 such headers, each of at most 20,000 characters."""
    return [_decode(value) for value in mail.all(name)[:50]]


def _decode(value: bytes) -> str:
    text = to_text(value[:20_000], "utf-8").replace("\r", " ").replace("\n", " ")
    if "=?" in text:
        # An encoded word that is none, or of no charset: its letters are all there is.
        with suppress(ValueError, LookupError, MessageError):
            text = str(make_header(decode_header(text[:4000]))) + text[4000:]
    return " ".join(_CONTROL.sub("\ufffd", text).split())


def to_text(data: bytes, charset: str) -> str:
    """Bytes as text, whatever their charset says: ISO-2022 is told by its escapes."""
    escaped = b"\x1b$" in data or b"\x1b(" in data
    for name in ("iso2022_jp_ext" if escaped else charset, charset, "utf-8"):
        with suppress(LookupError, ValueError):
            found = data.decode(_OLD_CHARSETS.get(name.lower(), name))
            if isinstance(found, str):  # `rot13` and its like decode to something else
                return found
    return data.decode("cp1252" if not escaped else "ascii", "replace")


def addresses(mail: Mail, *names: str) -> tuple[str, ...]:
    """The addresses in these headers, folded, in order, each once; of 12,000 characters."""
    if names not in mail.addresses:
        raw, left = [], _MOST_ADDRESSES
        for value in (value for name in names for value in mail.all(name)[:20]):
            raw.append(_CONTROL.sub("", to_text(value[: min(left, 4000)], "utf-8")))
            if (left := left - len(raw[-1])) <= 0:
                break
        mail.addresses[names] = _addresses(raw)
    return mail.addresses[names]


def _addresses(raw: list[str]) -> tuple[str, ...]:
    try:
        found = getaddresses(raw)
    except (ValueError, IndexError, TypeError, RecursionError):
        found = []
    parsed = [address.strip().lower() for _, address in found if "@" in address]
    # A list that the library finds malformed comes back empty: then what looks like an address is.
    loose = [] if parsed else [one.lower() for value in raw for one in ADDRESS.findall(value)]
    return tuple(dict.fromkeys(parsed or loose))


def ids(mail: Mail, *names: str) -> tuple[str, ...]:
    """The message ids in these headers, with their angle brackets, in order, each once."""
    values = (value for name in names for value in headers(mail, name))
    return tuple(dict.fromkeys(found for value in values for found in _ID.findall(value)))


def date(mail: Mail) -> datetime | None:
    """The Date header as UTC."""
    try:
        at = parsedate_to_datetime(header(mail, "Date")[:200])
        return at.replace(tzinfo=at.tzinfo or UTC).astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def content_type(mail: Mail) -> str:
    """The media type in lower case; an impossible one is text/plain (RFC 2045, 5.2)."""
    return mail.type.name


def parameter(mail: Mail, name: str) -> str:
    """One parameter of Content-Type, folded; empty when it is missing or malformed."""
    return mail.type.params.get(name, "").lower()


def walk(mail: Mail, *, into_mails: bool = False, top: bool = True) -> Iterator[Mail]:
    """The parts of a mail, itself first; those of a mail inside it only when asked for."""
    yield mail
    if not into_mails and not top and content_type(mail).startswith("message/"):
        return
    for part in mail.parts:
        yield from walk(part, into_mails=into_mails, top=False)


def decoded(part: Mail) -> str:
    """The text of one leaf part, whatever its charset says."""
    text = to_text(part.data[: 4 * _LIMIT], parameter(part, "charset") or "utf-8")
    return _CONTROL.sub("\ufffd", text[:_LIMIT]).replace("\r\n", "\n").replace("\r", "\n")


def body(mail: Mail) -> str:
    """What a reader sees first: the plain parts, else the HTML ones as text."""
    plain: list[str] = []
    html: list[str] = []
    for part in walk(mail):
        if part.parts or "attachment" in header(part, "Content-Disposition").lower():
            continue
        match content_type(part):
            case "text/plain" if len(plain) < 20:
                plain.append(decoded(part))
            case "text/html" if len(html) < 5:
                html.append(decoded(part))
            case name if name.startswith("multipart/") and len(plain) < 20:  # its parts are lost
                plain.append(decoded(part))
    text = "\n".join(one for one in plain if one.strip())[:_LIMIT]
    return text or as_text("\n".join(html))
