"""Reports by mail servers: delivery (RFC 3464), disposition (RFC 8098), feedback (RFC 5965), and
the bounces of those that follow no standard."""

import re
from dataclasses import replace

from orchestrator.rules.mail import complaints, fields, lists, parts, prose, refusals, returned
from orchestrator.rules.mail.fields import Record
from orchestrator.rules.mail.parts import Mail
from orchestrator.rules.mail.report import Report
from orchestrator.rules.mail.words import beginning, words

_STATUS_PARTS = ("message/delivery-status", "message/global-delivery-status")
_NO_FAILURES = ("tlsrpt", "disposition-notification", "dmarc", "message-tracking-status")
_MOST_SAID = 24_000  # characters of a report
_MOST_DIAGNOSTICS = 8_000  # characters of what servers said, over all causes
_MOST_CAUSES = 8  # of one report that are looked into
_FROM_MACHINE = re.compile(
    r"(?i)(mailer[-_.]?(?:daemon|deamon)|post[-_.]?mast(?:er)?\b|mail ?deliver"
    r"|mail ?system|mail-daemon|\bbounce|mdaemon|delivery (?:subsystem|system|agent|report)"
    r"|<>|mail ?server|mail ?router"
    r"|mail ?gateway|mail ?transport|^\W*system admin)"
)
_DAEMON = re.compile(r"(?i)mailer-?(?:daemon|deamon)\b|mail delivery (?:sub)?system")
_ANSWERS = re.compile(r"(?i)\s*(?:re|sv|aw|vs|antw|r|odp)\s*:")
_REPLY_LINE = re.compile(r"(?m)^.*(?<![\d.])[45]\d\d(?:[ -]|$).*(?:\n(?![ \t]*\n)[ \t]+\S.*){0,6}$")
_SMTP = re.compile(r"(?:^|[\s:(\[-])[45]\d\d[\s-]")


def read(mail: Mail, text: str | None = None, *, depth: int = 0) -> Report | None:
    """The report that this mail is, standards first; None when it is none."""
    found = list(parts.walk(mail))
    text = parts.body(mail) if text is None else text
    for part in found:
        match parts.content_type(part):
            case "message/feedback-report":
                return complaints.feedback(mail, part)
            case "message/disposition-notification" | "message/global-disposition-notification":
                return _disposition(mail, part, text)
    listed = [
        one
        for part in found
        if parts.content_type(part) in _STATUS_PARTS
        for one in fields.records(parts.decoded(part))
    ]
    if listed and (told := _told(mail, listed, text, "delivery report (RFC 3464)")):
        return told
    if noted := complaints.other(mail, text):
        return noted
    if parts.content_type(mail) == "multipart/report":
        if parts.parameter(mail, "report-type") == "feedback-report":
            why = "feedback report without its fields"
            return Report("complaint", "other", (why,), complaints.complainers(mail, ""))
        if (other := parts.parameter(mail, "report-type")).lower() in _NO_FAILURES:
            return Report("auto_reply", "other", (f"a report of type {other}",))
        return _loose(mail, text, "multipart/report", depth=depth)
    if noted_failures := complaints.records_of_notification(text):
        return _told(mail, noted_failures, "", "a bounce notification (Amazon SES)")
    if refused_by_list := lists.refusal(mail, text):
        return refused_by_list
    told_inside = _inside(mail, depth)
    if told_inside and len(text.split()) < 40:  # a cover and nothing else
        return told_inside
    if _looks_like_a_bounce(mail, text):
        return _loose(mail, text, "a bounce in prose", depth=depth)
    return told_inside


def _disposition(mail: Mail, part: Mail, text: str) -> Report:
    """A receipt; or the refusal of a Sieve script, which is sent in the same form (RFC 5429)."""
    noted = parts.decoded(part)[:4000]
    refused = re.search(r"(?im)^disposition:\s*automatic-action/[^;\n]*;\s*deleted", noted)
    if refused and (
        words("bounce_bodies").search(text) or re.search(r"(?i)reject|refus|quota", text[:2000])
    ):
        to = tuple(one.recipient for one in fields.records(noted) if one.recipient)
        class_, why = refusals.classify(None, "", text[:4000])
        return Report("bounce", class_, ("refused by a Sieve script (RFC 5429)", why), to)
    return Report("auto_reply", "other", ("disposition notification (RFC 8098)",))


def reads_like_a_bounce(text: str) -> bool:
    """Whether a text that nothing else gives away quotes a server's refusal."""
    if not words("bounce_bodies").search(text):
        return False
    return bool(
        fields.STATUS.search(text) or _SMTP.search(text) or parts.ADDRESS.search(text[:600])
    )


def original_ids(mail: Mail, text: str) -> tuple[str, ...]:
    """Message-IDs of the message that a report returns: of its embedded headers, or quoted."""
    return returned.ids(mail, text)


def _inside(mail: Mail, depth: int) -> Report | None:
    """The report in a report, or in what a machine forwarded. What a person forwarded is theirs."""
    if depth or not from_machine(mail):
        return None
    for inner in returned.embedded(mail)[:3]:
        if found := read(inner, depth=1):
            return replace(found, ids=original_ids(inner, parts.body(inner)))
    return None


def _returned_report(mail: Mail, split: returned.Split) -> Report | None:
    """The bounce that a bounce returns, where a relay wrapped one in another and kept no reason: we
    send none ourselves."""
    inner = [*returned.embedded(mail)[:2]]
    if returned.nested(split):
        inner.append(Mail(split.returned.encode("utf-8", "replace")))
    for one in inner:
        text = parts.body(one)
        if (found := read(one, text, depth=1)) is None and reads_like_a_bounce(text):
            found = _loose(one, text, "a bounce in prose", depth=1)
        if found is not None and found.kind in ("bounce", "delayed"):
            return found
    return None


def _told(mail: Mail, listed: list[Record], text: str, source: str) -> Report | None:
    """What the records of a report come to."""
    failed = [one for one in listed if one.action in ("failed", "expired")]
    if not failed and not any(one.action for one in listed):
        failed = [one for one in listed if (one.status or "5").startswith("5")]
    late = [one for one in listed if one not in failed and _is_late(one)]
    about = failed or late
    if not about:
        actions = sorted({one.action for one in listed if one.action})
        if not actions:
            return None
        to = tuple(one.recipient for one in listed if one.recipient)
        return Report(
            "auto_reply", "other", (f"{source}: {', '.join(actions)}",), to, listed[0].status
        )
    split = returned.split(text)
    if returned.embedded(mail):  # what is returned is attached: a heading in the text is no title
        split = returned.Split(text[:_MOST_SAID], "")
    causes = list(dict.fromkeys((one.status, one.diagnostic) for one in about))[:_MOST_CAUSES]
    share = _MOST_DIAGNOSTICS // len(causes)
    around = refusals.Around(split.said)
    told = [refusals.classify(status, said[:share], around) for status, said in causes]
    to = tuple(dict.fromkeys(one.recipient for one in about if one.recipient))
    class_, why = told[0]
    return Report(
        kind="bounce" if failed else "delayed",
        class_=class_ if failed else _of_delay(class_, why),
        reasons=(f"{source}: {'failed' if failed else 'delayed'}", why),
        recipients=to or prose.recipients(mail, split),
        status=refusals.worst(about[0].status, about[0].diagnostic),
        hard=bool(failed) and len(causes) < _MOST_CAUSES and all(one == "hard" for one, _ in told),
    )


def _is_late(record: Record) -> bool:
    return record.action == "delayed" or (
        not record.action and (record.status or "").startswith("4")
    )


def _of_delay(class_: str, why: str) -> str:
    """What is tried again is late, whatever its cause; that a mailbox is full is worth to know, and
    that they say they hold it back for what they think of us."""
    said = class_ == "mailbox_full" or (class_ == "policy" and not why.startswith("status "))
    return class_ if said else "transient"


def from_machine(mail: Mail) -> bool:
    """Whether a mail system, not a person, is named as its author."""
    if _FROM_MACHINE.search(parts.header(mail, "From")) or not parts.header(mail, "From"):
        return True
    return any(value.strip() in ("<>", "") for value in parts.headers(mail, "Return-Path"))


def _looks_like_a_bounce(mail: Mail, text: str) -> bool:
    subject = parts.header(mail, "Subject")
    if parts.header(mail, "X-Failed-Recipients"):
        return True
    head = text[:8000]
    if _DAEMON.search(parts.header(mail, "From")):
        return True
    says = bool(words("bounce_bodies").search(head) or fields.STATUS.search(head))
    if _ANSWERS.match(subject):
        return from_machine(mail) and says
    titled = bool(beginning("bounce_subjects").match(subject))
    if from_machine(mail):
        return says or titled
    # A person may write so of a mail that came back; a filter says whom it did not reach, and why.
    return titled and says and not _threaded(mail) and reads_like_a_bounce(head)


def _threaded(mail: Mail) -> bool:
    return bool(parts.header(mail, "In-Reply-To").strip())


def titled(mail: Mail, text: str) -> bool:
    """Whether subject and words are a bounce's, though nothing else is."""
    subject = parts.header(mail, "Subject")
    said = words("bounce_bodies").search(text[:8000])
    return bool(said and beginning("bounce_subjects").match(subject))


def _loose(mail: Mail, text: str, source: str, *, depth: int = 0) -> Report:
    """A report in prose: who and why, as far as it can be told."""
    split = returned.split(text)
    listed = [
        one for one in fields.records(split.said) if one.recipient and (one.action or one.status)
    ]
    if listed and (told := _told(mail, listed, split.said, f"{source}: fields in its text")):
        return told
    subject = parts.header(mail, "Subject")
    to = prose.recipients(mail, split)
    quoted = "\n".join(_REPLY_LINE.findall(split.said)[:20])
    status = fields.STATUS.search(quoted) or fields.STATUS.search(split.said)
    code = status.group() if status else None
    class_, why = _cause(mail, split, quoted, code, depth)
    late = words("delays").search(f"{subject}\n{split.said}")
    if late and not words("final").search(split.said) and not (code or "").startswith("5"):
        return Report(
            "delayed", _of_delay(class_, why), (source, f"says: {late.group()}"), to, code
        )
    return Report("bounce", class_, (source, why), to, code, hard=class_ == "hard" and len(to) < 2)


def _cause(
    mail: Mail, split: returned.Split, quoted: str, code: str | None, depth: int
) -> tuple[str, str]:
    """The class of a failure told in prose, and what it was decided on."""
    none = "no reason given"
    said = f"{split.said}\n{parts.header(mail, 'Subject')}"
    found: tuple[str, str] = refusals.classify(code, quoted, said)
    if found[1] == none:  # what looked like the returned message may be a heading
        found = refusals.classify(code, "", returned.up_to_header(split))
    if found[1] == none and not depth and (inner := _returned_report(mail, split)):
        found = inner.class_, f"in the report that it returns: {inner.reasons[-1]}"
    return found
