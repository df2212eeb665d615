"""The same mail, otherwise: as gateways, mail programs and lost headers change it."""

import base64
import re
from collections.abc import Callable, Iterator


def crlf(raw: bytes) -> bytes:
    """With CRLF at every end of line."""
    return lf(raw).replace(b"\n", b"\r\n")


def lf(raw: bytes) -> bytes:
    """With LF alone."""
    return raw.replace(b"\r\n", b"\n")


def folded(raw: bytes) -> bytes:
    """With every long field of the header folded at its spaces (RFC 5322, 2.2.3)."""
    head, body = _halves(raw)
    return re.sub(rb"(?m)(^[A-Za-z-]+:[^\n]{20,}?) (?=[^\n ])", rb"\1\n\t", head) + body


def lower_names(raw: bytes) -> bytes:
    """With the names of fields in lower case."""
    head, body = _halves(raw)
    return re.sub(rb"(?m)^[A-Za-z-]+:", lambda found: found.group().lower(), head) + body


def upper_names(raw: bytes) -> bytes:
    """With the names of fields in upper case."""
    head, body = _halves(raw)
    return re.sub(rb"(?m)^[A-Za-z-]+:", lambda found: found.group().upper(), head) + body


def mailbox_line(raw: bytes) -> bytes:
    """With the `From ` line of a mailbox before it."""
    return b"From MAILER-DAEMON Thu Jan  1 00:00:00 2026\n" + raw


def trailing(raw: bytes) -> bytes:
    """With what a list or a scanner puts behind everything."""
    return raw + b"\n_______________________________\nScanned by a gateway.\n"


def without(*names: bytes) -> Callable[[bytes], bytes]:
    """Without these fields in the header."""

    def change(raw: bytes) -> bytes:
        head, body = _halves(raw)
        for name in names:
            head = re.sub(rb"(?im)^" + name + rb":[^\n]*\n(?:[ \t][^\n]*\n)*", b"", head)
        return head + body

    return change


def base64_text(raw: bytes) -> bytes:
    """A mail of one plain part, with its body in base64."""
    head, body = _halves(raw)
    if re.search(rb"(?im)^content-(?:type:\s*(?!text/plain)|transfer-encoding)", head):
        return raw
    encoded = base64.encodebytes(body.lstrip(b"\n"))
    return head + b"Content-Transfer-Encoding: base64\n\n" + encoded


def forwarded_by_machine(raw: bytes) -> bytes:
    """As an attachment of what a mail system forwards."""
    return (
        b"From: MAILER-DAEMON@gateway.example\nTo: owner@sender.example\nSubject: Fwd\n"
        b"Content-Type: multipart/mixed; boundary=forwarding\n\n--forwarding\n"
        b"Content-Type: message/rfc822\n\n" + lf(raw) + b"\n--forwarding--\n"
    )


def _halves(raw: bytes) -> tuple[bytes, bytes]:
    raw = lf(raw)
    head, blank, body = raw.partition(b"\n\n")
    return head + b"\n", blank[1:] + body


# Those after which everything can still be told.
SAME: dict[str, Callable[[bytes], bytes]] = {
    "crlf": crlf,
    "lf": lf,
    "folded": folded,
    "lower_names": lower_names,
    "upper_names": upper_names,
    "mailbox_line": mailbox_line,
    "trailing": trailing,
    "base64_text": base64_text,
    "no_received": without(rb"Received", rb"Return-Path"),
    "no_date": without(rb"Date", rb"MIME-Version"),
}
# Those that take something away that a verdict may rest on.
LESS: dict[str, Callable[[bytes], bytes]] = {
    "no_from": without(rb"From"),
    "no_subject": without(rb"Subject"),
    "no_extra": without(rb"X-[A-Za-z-]+"),
    "no_auto": without(rb"Auto-Submitted", rb"Return-Path", rb"Precedence"),
    "no_type": without(rb"Content-Type"),
    "forwarded": forwarded_by_machine,
    "half": lambda raw: raw[: len(raw) * 2 // 3],
}


def each(raw: bytes) -> Iterator[tuple[str, bytes]]:
    """Every variant of one mail, with its name."""
    for name, change in (SAME | LESS).items():
        yield name, change(raw)
