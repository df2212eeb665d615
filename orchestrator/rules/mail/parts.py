"""MIME, read so that no bytes raise: headers, addresses, ids and the text parts of a mail."""

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from email import errors, policy
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesParser
from email.utils import getaddresses, parsedate_to_datetime

import inscriptis

_LIMIT = 400_000  # characters of text that are looked at
ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
_ID = re.compile(r"<[^<>\s]{1,900}>")
_LATE = re.compile(r"[\ud800-\udfff]")  # undecodable bytes, as the parser keeps them
# compat32 hands headers out as they came; the modern policies parse, and raise, at access.
_PARSER = BytesParser(policy=policy.compat32)

Mail = Message


def parse(raw: bytes) -> Mail:
    """The mail in these bytes; any bytes are some mail."""
    return _PARSER.parsebytes(raw)


def header(mail: Mail, name: str) -> str:
    """The decoded value of the first such header, on one line; empty when it is missing."""
    values = headers(mail, name)
    return values[0] if values else ""


def headers(mail: Mail, name: str) -> list[str]:
    """The decoded values of every such header."""
    return [_decode(str(value)) for value in mail.get_all(name, [])]


def _decode(value: str) -> str:
    # An encoded word that is none: its letters are all there is.
    with suppress(ValueError, LookupError, errors.HeaderParseError):
        value = str(make_header(decode_header(value)))
    return " ".join(_LATE.sub("\ufffd", value).split())


def addresses(mail: Mail, *names: str) -> tuple[str, ...]:
    """The addresses in these headers, folded, in order, each once."""
    raw = [str(value) for name in names for value in mail.get_all(name, [])]
    try:
        found = getaddresses([_LATE.sub("", value)[:20_000] for value in raw])
    except (ValueError, IndexError, TypeError):
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
        at = parsedate_to_datetime(header(mail, "Date"))
        return at.replace(tzinfo=at.tzinfo or UTC).astimezone(UTC)
    except (ValueError, TypeError, OverflowError):
        return None


def content_type(mail: Mail) -> str:
    """The media type in lower case; an impossible one is text/plain (RFC 2045, 5.2)."""
    return mail.get_content_type()


def parameter(mail: Mail, name: str) -> str:
    """One parameter of Content-Type, folded; empty when it is missing or malformed."""
    try:
        value = mail.get_param(name, "")
    except (ValueError, LookupError, TypeError):
        return ""
    return value.lower() if isinstance(value, str) else ""


def walk(mail: Mail, *, into_mails: bool = False, depth: int = 0) -> Iterator[Mail]:
    """The parts of a mail, itself first; those of a mail inside it only when asked for."""
    yield mail
    if depth > 30 or (content_type(mail) == "message/rfc822" and not into_mails and depth):
        return
    payload = mail.get_payload()
    for part in payload if isinstance(payload, list) else ():
        if isinstance(part, Message):
            yield from walk(part, into_mails=into_mails, depth=depth + 1)


def decoded(part: Mail) -> str:
    """The text of one leaf part, whatever its charset says."""
    try:
        data = part.get_payload(decode=True)
    except (ValueError, LookupError, AssertionError):
        data = None
    if not isinstance(data, bytes):
        payload = part.get_payload()
        return _LATE.sub("\ufffd", payload)[:_LIMIT] if isinstance(payload, str) else ""
    charset = parameter(part, "charset") or "utf-8"
    for name in (charset, "utf-8"):
        try:
            return data[: 4 * _LIMIT].decode(name).replace("\r\n", "\n")[:_LIMIT]
        except (LookupError, ValueError):
            continue
    return data.decode("latin-1").replace("\r\n", "\n")[:_LIMIT]


def body(mail: Mail) -> str:
    """What a reader sees first: the plain parts, else the HTML ones as text."""
    plain: list[str] = []
    html: list[str] = []
    for part in walk(mail):
        if part.is_multipart() or "attachment" in header(part, "Content-Disposition").lower():
            continue
        match content_type(part):
            case "text/plain":
                plain.append(decoded(part))
            case "text/html":
                html.append(decoded(part))
    text = "\n".join(one for one in plain if one.strip())
    return text or "\n".join(html_text(one) for one in html)


def html_text(html: str) -> str:
    """HTML as plain text; quoted blocks get their `>`."""
    marked = re.sub(r"(?is)<(style|script|head)\b.*?</\1>", "", html)
    marked = re.sub(r"(?is)<blockquote\b.*", "<p>&gt; </p>", marked)
    try:
        return str(inscriptis.get_text(marked)) if marked.strip() else ""
    except Exception:  # noqa: BLE001 - a parser of other people's HTML: its tags are dropped instead
        return re.sub(r"<[^>]*>", " ", marked)
