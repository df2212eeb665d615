"""A draft as the bytes of a mail: what a careful person's client would send. Pure.

    multipart/alternative            or, with an invitation,   multipart/mixed
      text/plain                                                 multipart/alternative
      text/html                                                    text/plain, text/html,
                                                                   text/calendar; method=REQUEST
                                                                 application/ics (invite.ics)

The same draft gives the same bytes: nothing here asks for the time or for randomness.
"""

import base64
import binascii
import re
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from functools import lru_cache
from hashlib import sha256

from channels.base import Account, Attachment, Draft
from channels.email.address import is_canonical
from channels.email.headers import address, clean, tokens, unstructured
from channels.email.settings import EmailSettings
from channels.email.sources import tags

MAX_BYTES = 10 * 1024 * 1024
_PLAIN, _HTML = (
    f"Content-Type: text/{subtype}; charset=utf-8\r\n"
    "Content-Transfer-Encoding: quoted-printable\r\n\r\n".encode()
    for subtype in ("plain", "html")
)
_MESSAGE_ID = re.compile(r"<[^\s<>@]+@[^\s<>@]+>")
_TOKEN = re.compile(r"[a-z0-9]{8,60}")
_CONTENT_TYPE = re.compile(r"[a-z0-9.+-]+/[a-z0-9.+-]+(?:; ?[a-z0-9-]+=[A-Za-z0-9.\"-]+)*")
_FILENAME = re.compile(r"[A-Za-z0-9._-]{1,80}")
_REFERENCES = 20  # a thread that is longer keeps its root and the newest
_REPLY_TO = re.compile(rb"^Reply-To: (?:[^\r\n]|\r\n )*?\+r\.([a-z0-9]+)@", re.MULTILINE)
_TO = re.compile(rb"To: (?:[^\r\n]*(?:\r\n [^\r\n]*)*?<)?([^\s<>]+@[^\s<>]+?)>?\r\n(?! )", re.M)


def build(account: Account, settings: EmailSettings, draft: Draft) -> bytes:
    """The mail of `draft` with CRLF lines, before dot-stuffing. Raises ValueError."""
    lines = _headers(account, settings, draft)
    content_type, body = _content(draft)
    mail = b"".join((*lines, b"MIME-Version: 1.0\r\n", content_type, b"\r\n", body))
    if len(mail) > MAX_BYTES:
        raise ValueError("the mail is larger than 10 MiB")
    return mail


def tagged(mailbox: str, tag: str) -> str:
    """`kari@x.no` with tag `r.abc` is `kari+r.abc@x.no`: the answer says what it answers.

    A name too long to carry a tag (RFC 5321 4.5.3.1.1: 64 characters) stays as it is.
    """
    local, _, domain = mailbox.rpartition("@")
    made = f"{local}+{tag}"
    return f"{made}@{domain}" if len(made) <= 64 else mailbox


def envelope_sender(account: Account, settings: EmailSettings, payload: bytes) -> str:
    """Who bounces go to: with address tokens, an address that names the message (VERP).

    The token is read back from the frozen Reply-To, so that a retry has the same. ValueError.
    """
    if not is_canonical(account.address):
        raise ValueError(f"`{account.address}` is not a sender address in canonical form")
    if settings.address_tokens:
        found = _REPLY_TO.search(payload.partition(b"\r\n\r\n")[0] + b"\r\n")
        if found:
            return tagged(account.address, f"b.{found[1].decode()}")
    return account.address


def is_to(payload: bytes, recipient: str) -> bool:
    """Whether the mail's one To header names exactly `recipient`."""
    head = b"\r\n" + payload.partition(b"\r\n\r\n")[0] + b"\r\n"
    at = head.find(b"\r\nTo:")  # an expression that looks for it itself takes three times as long
    if at < 0 or head.find(b"\r\nTo:", at + 1) >= 0:
        return False
    found = _TO.match(head, at + 2)
    return found is not None and found[1] == recipient.encode()


def _headers(account: Account, settings: EmailSettings, draft: Draft) -> list[bytes]:
    lines = [
        _date(draft.date.replace(tzinfo=None), draft.date.utcoffset()),
        _from(account.display_name, account.address),
    ]
    if settings.address_tokens and draft.reply_token is not None:
        if not _TOKEN.fullmatch(draft.reply_token):
            raise ValueError("the reply token is not one")
        reply_to = tagged(account.address, f"r.{draft.reply_token}")
        lines.append(address("Reply-To", account.display_name, reply_to))
    lines += [
        address("To", draft.recipient_name, draft.recipient),
        unstructured("Subject", draft.subject),
        tokens("Message-ID", [_id(draft.rfc_message_id)]),
    ]
    if draft.in_reply_to is not None:
        lines.append(tokens("In-Reply-To", [_id(draft.in_reply_to)]))
    if draft.references:
        chain = [_id(one) for one in draft.references]
        if len(chain) > _REFERENCES:
            chain = [chain[0], *chain[1 - _REFERENCES :]]
        lines.append(tokens("References", chain))
    if draft.unsubscribe_url is not None:
        lines.append(tokens("List-Unsubscribe", [f"<{_url(draft.unsubscribe_url)}>"]))
        lines.append(b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n")
    if draft.automatic:
        lines.append(b"Auto-Submitted: auto-generated\r\n")
    if settings.events is not None:
        lines += tags.headers(settings.events.source, draft.message_id)
    if settings.idempotency is not None:
        lines.append(tokens(settings.idempotency.header, [str(draft.message_id)]))
    return lines


def carries(payload: bytes, header: str, value: str) -> bool:
    """Whether a frozen mail has this header with this value."""
    head = payload.partition(b"\r\n\r\n")[0].split(b"\r\n")
    return f"{header}: {value}".encode() in head


@lru_cache(maxsize=256)
def _from(display_name: str, mailbox: str) -> bytes:
    """The From header, made once for each account."""
    return address("From", display_name, mailbox)


# By what the clock shows and the offset apart: times that are equal may be in different zones.
@lru_cache(maxsize=256)
def _date(shown: datetime, offset: timedelta | None) -> bytes:
    """The Date header, made once for a batch. Raises ValueError for a time without a zone."""
    if offset is None:
        raise ValueError("the date has no zone")
    return f"Date: {format_datetime(shown.replace(tzinfo=timezone(offset)))}\r\n".encode("ascii")


def _id(value: str) -> str:
    if not _MESSAGE_ID.fullmatch(value):
        raise ValueError(f"`{value!r}` is no Message-ID")
    return value


def _url(value: str) -> str:
    if not value.startswith(("https://", "http://")) or "<" in value or ">" in value:
        raise ValueError("the unsubscribe link is no http address")
    return value


def _content(draft: Draft) -> tuple[bytes, bytes]:
    """The Content-Type header of the whole and its body."""
    seed = sha256(draft.rfc_message_id.encode()).hexdigest()[:24]
    parts = [_text(_PLAIN, draft.text)]
    if draft.html is not None:
        parts.append(_text(_HTML, draft.html))
    parts += [_calendar(one) for one in draft.attachments if _is_invitation(one)]
    if len(parts) == 1:
        header, _, body = parts[0].partition(b"\r\n\r\n")
        content_type, body = header + b"\r\n", body
    else:
        content_type, body = _multipart("alternative", f"=_a{seed}", parts)
    if not draft.attachments:
        return content_type, body
    files = [_attachment(one) for one in draft.attachments]
    return _multipart("mixed", f"=_m{seed}", [content_type + b"\r\n" + body, *files])


def _multipart(subtype: str, boundary: str, parts: list[bytes]) -> tuple[bytes, bytes]:
    # "=_" stands in no quoted-printable or base64 text (RFC 2045 6.7), so no part can hold it.
    mark = f"--{boundary}\r\n".encode()
    header = f'Content-Type: multipart/{subtype}; boundary="{boundary}"\r\n'
    inner = (b"\r\n" + mark).join(parts)
    return header.encode(), b"".join((mark, inner, b"\r\n--", boundary.encode(), b"--\r\n"))


def _crlf(text: str) -> bytes:
    """Text with CRLF lines and one at its end. Raises ValueError for half a surrogate pair."""
    if "\x00" in text:
        raise ValueError("the text holds a NUL")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return (text if text.endswith("\n") else text + "\n").replace("\n", "\r\n").encode()


def _text(head: bytes, text: str) -> bytes:
    # Data that begins with CRLF lines makes b2a_qp write its soft breaks as CRLF too.
    return head + binascii.b2a_qp(_crlf(text), istext=True)


def _base64(content: bytes) -> bytes:
    coded = base64.b64encode(content)
    return b"".join(coded[at : at + 76] + b"\r\n" for at in range(0, len(coded), 76)) or b"\r\n"


def _is_invitation(attachment: Attachment) -> bool:
    return attachment.content_type.startswith("text/calendar") and (
        "method=" in attachment.content_type
    )


def _calendar(attachment: Attachment) -> bytes:
    """The part that calendars act on: inline, with its method (RFC 6047 2.4)."""
    kind = _checked_type(attachment)
    if "charset" not in kind:
        kind += "; charset=utf-8"
    return (
        f"Content-Type: {kind}\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    ).encode() + _base64(attachment.content)


def _attachment(attachment: Attachment) -> bytes:
    """The same as a file, for programs that show no inline calendar."""
    kind = "application/ics" if _is_invitation(attachment) else _checked_type(attachment)
    name = clean("the file name", attachment.filename)
    if not _FILENAME.fullmatch(name):
        raise ValueError("a file name of an attachment has letters, digits, dot, dash only")
    return (
        f'Content-Type: {kind}; name="{name}"\r\n'
        f'Content-Disposition: attachment; filename="{name}"\r\n'
        "Content-Transfer-Encoding: base64\r\n\r\n"
    ).encode() + _base64(attachment.content)


def _checked_type(attachment: Attachment) -> str:
    if not _CONTENT_TYPE.fullmatch(attachment.content_type):
        raise ValueError(f"`{attachment.content_type!r}` is no content type")
    return attachment.content_type
