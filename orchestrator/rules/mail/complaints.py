"""Complaints: feedback reports (RFC 5965, 6591, 6650), and those that look otherwise."""

import itertools
import json
import re
from typing import Any

from orchestrator.rules.mail import fields, parts
from orchestrator.rules.mail.fields import Record
from orchestrator.rules.mail.parts import ADDRESS, Mail
from orchestrator.rules.mail.report import Report
from orchestrator.rules.mail.returned import embedded

# What somebody said by pressing a button. The rest (auth-failure of RFC 6591, not-spam, dkim) says
# nothing of a person: nobody complains, and nobody is suppressed.
_COMPLAINTS = {
    "abuse": "abuse",
    "fraud": "fraud",
    "virus": "virus",
    "other": "other",
    "miscategorized": "other",
    "opt-out": "opt_out",
    "opt-out-list": "opt_out",
}
_FIELD = r"(?im)^{}[ \t]*:[ \t]*(.+(?:\n[ \t].+)*)$"
_LOOP_SUBJECT = re.compile(
    r"(?i)complaint about (?:message|e-?mail) from|\bfeedback loop\b|\babuse report\b"
)
_LOOP_HOST = re.compile(
    r"(?i)^complaint about (?:message|e-?mail) from \[?[\da-f]{1,4}[.:][\da-f.:]+\]?$"
)
# How a report of RFC 7489 names its file: receiver!domain!begin!end.xml.gz
_AGGREGATE = re.compile(r"(?i)[\w.-]{3,200}![\w.-]{3,200}!\d[\w!.-]{0,80}\.(?:xml|gz|zip)\b")
_BY_PROGRAM = re.compile(r"(?i)sent this e-?mail to unsubscribe")
_ASKED = re.compile(r"(?i)^\W*(?:list-?)?unsubscribe\b[^a-z]{0,40}$")


def feedback(mail: Mail, part: Mail) -> Report:
    """What a message/feedback-report says."""
    text = parts.decoded(part)[:60_000]
    named = re.search(_FIELD.format("Feedback-Type"), text)
    kind = (named.group(1) if named else "abuse").strip().lower()
    who = complainers(mail, text)
    if kind not in _COMPLAINTS and kind:
        why = f"feedback report of type {kind[:40]}: nobody complains (RFC 5965, 6591)"
        return Report("auto_reply", "other", (why,), who, feedback_type=kind)
    why = f"feedback report: {kind} (RFC 5965)"
    return Report("complaint", _COMPLAINTS.get(kind, "other"), (why,), who, feedback_type=kind)


def complainers(mail: Mail, text: str) -> tuple[str, ...]:
    """Whom the complaint is by: Original-Rcpt-To, else the one whom the message was to. Many
    providers hide both."""
    lines = re.findall(_FIELD.format("Original-Rcpt-To"), text)
    lines = lines or re.findall(_FIELD.format("Removal-Recipient"), text)
    found = [one for line in lines for one in [fields.address(line)] if one]
    if found:
        return tuple(dict.fromkeys(found))
    for inner in embedded(mail):
        to = parts.addresses(
            inner, "X-HmXmrOriginalRecipient", "X-Original-To", "Delivered-To", "To"
        )
        if to:
            return to[:1]
    return ()


def other(mail: Mail, text: str) -> Report | None:
    """A complaint without the fields of RFC 5965: a feedback loop's forward, or a wish to be taken
    off that a mail program sent for its user (List-Unsubscribe by mail, RFC 2369)."""
    if any(_AGGREGATE.search(named) for named in _files(mail)):
        return Report("auto_reply", "other", ("a DMARC report (RFC 7489)",))
    subject = parts.header(mail, "Subject")
    inner = embedded(mail)
    hotmail = [
        a for one in (mail, *inner) for a in parts.addresses(one, "X-HmXmrOriginalRecipient")
    ]
    if hotmail or _LOOP_HOST.match(subject) or (inner and _LOOP_SUBJECT.search(subject)):
        who = tuple(hotmail[:1]) or complainers(mail, "")
        return Report("complaint", "abuse", ("a feedback loop's forward",), who)
    automatic = parts.header(mail, "Auto-Submitted").lower().startswith("auto")
    if (automatic or _BY_PROGRAM.search(text[:2000])) and _ASKED.match(subject):
        who = parts.addresses(mail, "From")
        return Report("complaint", "opt_out", ("sent by a mail program to unsubscribe",), who)
    return notification(text)


def _files(mail: Mail) -> list[str]:
    """Where the parts of a mail name their files."""
    names = ("Content-Type", "Content-Disposition")
    some = itertools.islice(parts.walk(mail), 10)
    named = [parts.header(part, name)[:600] for part in some for name in names]
    return [one for one in named if "!" in one]


def notification(text: str) -> Report | None:
    """A bounce or complaint as the JSON that Amazon SES mails by SNS."""
    found = re.search(r'[{][^{}]{0,400}?"(?:notificationType|eventType|Type)"', text[:4000])
    if found is None:
        return None
    told = _loads(text[found.start() :][:100_000])
    if isinstance(told.get("Message"), str):
        told = _loads(told["Message"])
    kind = told.get("notificationType") or told.get("eventType")
    if kind == "Complaint":
        who = _emails(told.get("complaint"), "complainedRecipients")
        return Report("complaint", "abuse", ("a notification of a complaint (Amazon SES)",), who)
    if kind == "Delivery":
        delivered = told.get("delivery")
        listed = delivered.get("recipients") if isinstance(delivered, dict) else None
        who = tuple(str(one).lower() for one in listed) if isinstance(listed, list) else ()
        return Report("auto_reply", "other", ("a notification of delivery (Amazon SES)",), who[:50])
    return None


def records_of_notification(text: str) -> list[Record]:
    """The failures in a bounce notification of the same kind."""
    found = re.search(r'[{][^{}]{0,400}?"(?:notificationType|eventType|Type)"', text[:4000])
    told = _loads(text[found.start() :][:100_000]) if found else {}
    if isinstance(told.get("Message"), str):
        told = _loads(told["Message"])
    bounce = told.get("bounce")
    failed = bounce.get("bouncedRecipients") if isinstance(bounce, dict) else None
    return [
        Record(
            recipient=fields.address(str(one.get("emailAddress", ""))),
            action=str(one.get("action", "failed")).lower(),
            status=str(one["status"])
            if re.fullmatch(r"[245](\.\d{1,3}){2}", str(one.get("status")))
            else None,
            diagnostic=str(one.get("diagnosticCode", ""))[:4000],
        )
        for one in (failed if isinstance(failed, list) else [])[:50]
        if isinstance(one, dict)
    ]


def _loads(text: str) -> dict[str, Any]:
    """The first JSON object in a text; long lines may have been broken on the way."""
    for one in (text, re.sub(r"!?\n[ \t]?", "", text)):
        try:
            found, _ = json.JSONDecoder(strict=False).raw_decode(one)
        except (ValueError, RecursionError):
            continue
        return found if isinstance(found, dict) else {}
    return {}


def _emails(told: object, name: str) -> tuple[str, ...]:
    listed = told.get(name) if isinstance(told, dict) else None
    found = [str(one.get("emailAddress", "")) for one in listed or [] if isinstance(one, dict)]
    return tuple(one.lower() for one in found[:50] if ADDRESS.fullmatch(one))
