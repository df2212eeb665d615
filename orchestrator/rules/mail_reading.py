"""Reading a mail: bytes in, what it is and what the person wrote out. Pure; no bytes raise.

Standards first, as measured on real mail: a third of all bounces also say `Auto-Submitted`, so the
delivery report (RFC 3464) is looked for before the header of RFC 3834; and the null sender alone
says nothing, since vacation replies use it too. What could be either is `unknown`, never a reply.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Literal, cast

from orchestrator.rules.mail import absence, automatic, parts, quotes, reports, returned
from orchestrator.rules.mail.absence import Absence
from orchestrator.rules.mail.parts import Mail
from orchestrator.rules.mail.report import Report

Kind = Literal[
    "reply", "auto_reply", "bounce", "delayed", "complaint", "own", "calendar", "unknown"
]

# name+r.TOKEN@domain (a reply) and name+b.TOKEN@domain (a bounce): 26 bytes as base32.
_TOKEN = re.compile(r"\+[rb]\.([a-z2-7]{42})@", re.IGNORECASE)
_TO = ("To", "Cc", "Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To", "Apparently-To")


@dataclass(frozen=True, slots=True)
class Reading:
    """What one mail is. Addresses are folded; ids keep their angle brackets."""

    kind: Kind
    reasons: tuple[str, ...] = ()
    text: str = ""  # the person's own words, of a reply or of what may be one
    subject: str = ""
    sender: str | None = None  # the address in From
    sender_name: str = ""  # what From shows beside it
    message_id: str | None = None
    in_reply_to: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    original_ids: tuple[str, ...] = ()  # of the message that a report returns
    to: tuple[str, ...] = ()
    tokens: tuple[str, ...] = ()  # address tokens, to be read with Keys.read_mail_token
    # bounce, delayed: hard, mailbox_full, policy, transient, other. complaint: abuse, fraud, virus,
    # opt_out, other. auto_reply: out_of_office, ticket, other. Empty for the rest.
    class_: str = ""
    recipients: tuple[str, ...] = ()  # whom a report is about
    status: str | None = None  # enhanced status code (RFC 3463)
    hard: bool = False  # a bounce that says of every address in it that it is gone
    absence: Absence | None = None  # of an automatic reply
    date: datetime | None = None


def read(
    raw: bytes,
    *,
    own: Collection[str] = (),
    sent: Iterable[str] = (),
    envelope_to: Iterable[str] = (),
    today: date | None = None,
) -> Reading:
    """Read one mail (RFC 5322). `own`: our senders' addresses. `sent`: texts that we sent to this
    person, to be subtracted. `envelope_to`: the envelope's recipients, where they are known.
    `today`: when it came, for the dates of an absence; its own Date counts where it is earlier."""
    try:
        return _read(parts.parse(raw), own, sent, tuple(envelope_to), today)
    except Exception as error:  # noqa: BLE001 - anybody may mail anything; it is kept and shown
        return Reading("unknown", (f"unreadable: {type(error).__name__}",))


def _read(
    mail: Mail,
    own: Collection[str],
    sent: Iterable[str],
    envelope_to: tuple[str, ...],
    today: date | None = None,
) -> Reading:
    body = parts.body(mail)
    report = reports.read(mail, body) or _automatic(mail, body)
    kind, reasons = (report.kind, report.reasons) if report else _judge(mail, own)
    text = quotes.written(_short(body), sent) if kind in ("reply", "unknown") else ""
    if kind == "reply" and (doubt := automatic.suspicious(mail, text)):
        kind, reasons = "unknown", (doubt,)
    senders = parts.addresses(mail, "From")
    own_ids = parts.ids(mail, "Message-ID")
    to = tuple(dict.fromkeys([*(one.lower() for one in envelope_to), *parts.addresses(mail, *_TO)]))
    date = parts.date(mail)
    return Reading(
        kind=cast(Kind, kind),
        reasons=reasons,
        text=text,
        subject=parts.header(mail, "Subject")[:500],
        sender=senders[0] if senders else None,
        sender_name=parts.header(mail, "From").partition("<")[0].strip(" \"'")[:200],
        message_id=own_ids[0] if own_ids else None,
        in_reply_to=parts.ids(mail, "In-Reply-To"),
        references=parts.ids(mail, "References"),
        original_ids=(report.ids or reports.original_ids(mail, body)) if report else (),
        to=to,
        tokens=_tokens(mail, to, returned.embedded(mail) if report else []),
        class_=report.class_ if report else "",
        recipients=report.recipients if report else (),
        status=report.status if report else None,
        hard=bool(report and report.hard),
        absence=_absence(mail, body, _day(date, today)) if _away(report) else None,
        date=date,
    )


def _short(body: str) -> str:
    """The part of a text that a person may have written: the rest is the thread."""
    return "\n".join(body[:_MOST_TEXT].split("\n", _MOST_LINES)[:_MOST_LINES])


_MOST_NOTICE = 3_000  # characters of an absence notice, in two or three languages
_MOST_TEXT = 40_000  # characters
_MOST_LINES = 400
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)  # of a mail without a date: its months have no year


def _automatic(mail: Mail, body: str) -> Report | None:
    reason = automatic.certain(mail, body)
    return Report("auto_reply", automatic.sort(mail, body), (reason,)) if reason else None


def _away(report: Report | None) -> bool:
    return report is not None and report.kind == "auto_reply" and report.class_ == "out_of_office"


def _day(written: datetime | None, came: date | None) -> date:
    """The day of a mail: a Date that is later than its arrival is of a wrong clock, or a trick."""
    known = [one for one in (written and written.date(), came) if one is not None]
    return min(known, default=_EPOCH.date())


def _absence(mail: Mail, body: str, today: date) -> Absence:
    """What it says itself: the days in a mail that it quotes are another's."""
    said = quotes.unquoted(body[:_MOST_NOTICE])
    return absence.read(f"{parts.header(mail, 'Subject')}\n\n{said}", today=today)


def _judge(mail: Mail, own: Collection[str]) -> tuple[Kind, tuple[str, ...]]:
    ours = {address.lower() for address in own}
    if set(parts.addresses(mail, "From")) & ours:
        # A group's address of ours puts itself into From, and the writer beside it (DMARC).
        writers = parts.addresses(mail, "X-Original-From", "X-Original-Sender")
        if set(writers) - ours:
            return "unknown", ("sent on under an address of ours",)
        return "own", ("from a sender of ours",)
    found = [part for part in parts.walk(mail) if parts.content_type(part) == "text/calendar"]
    if any(_METHOD_REPLY.search(_method(part)) for part in found):
        return "calendar", ("an answer to an invitation (iCalendar)",)
    if found:  # whoever invites us, or proposes another time, has answered
        return "unknown", ("carries an iCalendar object",)
    return "reply", ()


_METHOD_REPLY = re.compile(r"(?im)^reply\b|^METHOD:REPLY\b")


def _method(part: Mail) -> str:
    """What an iCalendar object is for (RFC 5546): of its type's parameter, else of its text."""
    return parts.parameter(part, "method") or parts.decoded(part)[:2000]


def _tokens(mail: Mail, to: tuple[str, ...], inside: list[Mail]) -> tuple[str, ...]:
    """Address tokens, also those in the header of a message that a report returns: a relay may
    have given it another Message-ID, and a provider hidden whom it was to."""
    places = [*to, *(value for name in _TO for value in parts.headers(mail, name))]
    places += parts.headers(mail, "Received")[:8]  # `for <...>` keeps the envelope's recipient
    named = ("Reply-To", "Return-Path", "From")
    places += [value for one in inside[:3] for name in named for value in parts.headers(one, name)]
    return tuple(dict.fromkeys(found.lower() for one in places for found in _TOKEN.findall(one)))
