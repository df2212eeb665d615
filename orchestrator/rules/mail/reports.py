"""Reports by mail servers: delivery (RFC 3464), disposition (RFC 8098), feedback (RFC 5965), and
the bounces of those that follow no standard."""

import re
from dataclasses import dataclass

from orchestrator.rules.mail import parts
from orchestrator.rules.mail.parts import Mail

_STATUS = re.compile(r"\b([245])\.\d{1,3}\.\d{1,3}\b")
_CODE = re.compile(r"(?:^|[\s:(\[-])([45])\d\d[\s-]")
_ORIGINAL_ID = re.compile(r"(?im)^[> \t]*message-id:\s*(<[^<>\s]{1,900}>)")
_FROM_MACHINE = re.compile(
    r"(?i)(mailer[-_.]?daemon|post[-_.]?master|mail ?delivery|mailsystem|mail-daemon|bounce)"
)
_SUBJECT = re.compile(
    r"(?i)^\W*(?:undeliver|non.?deliver|delivery (?:status|failure|report|problem|has failed"
    r"|incomp)"
    r"|mail(?: message)?(?: delivery)? (?:fail|error|system error|status report)|returned mail"
    r"|failure notice|failed delivery|message (?:undeliver|delivery|not deliver|you sent)"
    r"|could not send|delivery.?(?:delayed|notification)|warning: (?:could not|message)"
    r"|unzustellbar|nicht zustellbar|kan ikke leveres|ulevert|kunne ikke leveres|olevererbart"
    r"|det gick inte att leverera|ikke leveret|no se puede entregar|non remis|non recapit"
    r"|onbestelbaar|配信|送信できません|не доставлено|недоставлен|returned to sender|rejected"
    r"|email? (?:not delivered|bounced)|notification d'état|unable to deliver|undelivered)"
)
_BODY = re.compile(
    r"(?i)(could not be (?:delivered|sent)|couldn.t be delivered|was(?: not|n.t) delivered"
    r"|unable to deliver|delivery (?:to the following|has failed|failed)|undeliverable"
    r"|permanent(?: fatal)? error|the following addresses had|did not reach the following"
    r"|following recipient|user unknown|no such user|mailbox (?:is )?full|unknown user"
    r"|returned (?:mail|message|to you)|addresses? failed|mailbox unavailable|rejected your message"
    r"|recipient address rejected|mail server permanently rejected|address couldn.t be found)"
)
# Bad mailbox, bad domain, bad syntax, moved, disabled, no mail host (RFC 3463; RFC 7505 is 5.1.10).
_GONE_STATUS = re.compile(r"5\.(?:1\.[1236]|1\.10|2\.1|4\.4)$")
_VAGUE_STATUS = re.compile(r"5\.(?:0\.0|1\.0|x\.x)$")
_GONE = re.compile(
    r"(?i)(user unknown|unknown user|unknown recipient|unknown address|no such (?:user|mailbox"
    r"|person"
    r"|recipient|address)|does(?: not|n.t) exist|doesn.t have (?:a|an) \S+ account|not a valid"
    r"|invalid (?:recipient|mailbox|user|address)|(?:recipient|user|mailbox"
    r"|address) not (?:found|known)"
    r"|host (?:or domain )?(?:name )?(?:not found|unknown)|domain (?:not found|does not)|account"
    r" (?:has been )?(?:disabled|closed|deleted)|no mailbox|unrouteable|nonexist|not our customer)"
)
_POLICY = re.compile(
    r"(?i)(spam|blocked|black ?list|blocklist|polic|reputation|dmarc|spf|dkim|reverse|ptr\b|quota"
    r"|mailbox (?:is )?full|over quota|too large|size|relay|denied|content|virus|rate|loop)"
)
_DELAYED = re.compile(
    r"(?i)(still being retried|has been delayed|delivery (?:is )?delayed|will be retried|is delayed"
    r"|warning: (?:could not|message)|not yet been delivered|will continue to try|temporarily)"
)


@dataclass(frozen=True, slots=True)
class Report:
    """What a machine says of a message. `kind`: bounce, delayed, complaint or auto_reply."""

    kind: str
    reason: str
    recipients: tuple[str, ...] = ()
    status: str | None = None  # enhanced status (RFC 3463) or a basic code's class
    feedback_type: str | None = None
    hard: bool = False  # a bounce that says that the mailbox or its domain does not exist


def read(mail: Mail) -> Report | None:
    """The report that this mail is, standards first; None when it is none."""
    found = list(parts.walk(mail))
    for part in found:
        match parts.content_type(part):
            case "message/feedback-report":
                return _feedback(mail, part)
            case "message/disposition-notification":
                return Report("auto_reply", "disposition notification (RFC 8098)")
    for part in found:
        if parts.content_type(part) in (
            "message/delivery-status",
            "message/global-delivery-status",
        ):
            return _delivery(part, parts.body(mail))
    report_type = parts.parameter(mail, "report-type")
    if parts.content_type(mail) == "multipart/report":
        if report_type == "feedback-report":
            return Report("complaint", "feedback report without its fields")
        return _loose(mail) or Report("bounce", "multipart/report without its fields")
    return _loose(mail) if _looks_like_a_bounce(mail) else None


def reads_like_a_bounce(text: str) -> bool:
    """Whether a text that nothing else gives away quotes a server's refusal."""
    refused = _BODY.search(text) or _GONE.search(text)
    return bool(refused and (_STATUS.search(text) or _CODE.search(text)))


def original_ids(mail: Mail) -> tuple[str, ...]:
    """Message-IDs of the message that a report returns: of its embedded headers, or quoted."""
    found: list[str] = []
    for part in parts.walk(mail, into_mails=True):
        if part is mail:
            continue
        if parts.content_type(part) in ("text/rfc822-headers", "message/rfc822-headers"):
            found += _ORIGINAL_ID.findall(parts.decoded(part))
        found += parts.ids(part, "Message-ID", "Original-Message-ID", "X-Original-Message-ID")
    found += _ORIGINAL_ID.findall(parts.body(mail))
    own = set(parts.ids(mail, "Message-ID"))
    return tuple(one for one in dict.fromkeys(found) if one not in own)


def _feedback(mail: Mail, part: Mail) -> Report:
    text = _fields(part)
    kind = (_field(text, "Feedback-Type") or "abuse").lower()
    to = tuple(parts.ADDRESS.findall(_field(text, "Original-Rcpt-To") or ""))
    # auth-failure (RFC 6591) is about DMARC, not-spam takes a complaint back: nobody complains.
    complaint = kind in ("abuse", "fraud", "opt-out", "opt-out-list", "virus", "other")
    return Report("complaint" if complaint else "auto_reply", f"feedback: {kind}", to, None, kind)


def _delivery(part: Mail, text: str) -> Report:
    fields = _fields(part)
    # Fold continuation lines, or a recipient on the next line is lost.
    fields = re.sub(r"\n[ \t]+", " ", fields)
    actions = [found.lower() for found in re.findall(r"(?im)^action:\s*([a-z]+)", fields)]
    to = re.findall(r"(?im)^(?:final|original)-recipient:(.*)$", fields)
    recipients = tuple(dict.fromkeys(a.lower() for line in to for a in parts.ADDRESS.findall(line)))
    statuses = re.findall(r"(?im)^status:\s*([245]\.\d{1,3}\.\d{1,3})", fields)
    status = max(statuses, default=None) or _status(fields)
    if "failed" in actions or (not actions and (status or "5").startswith("5")):
        gone = _gone(status, fields)
        return Report("bounce", "delivery report: failed", recipients, status, hard=gone)
    if "delayed" in actions or (status or "").startswith("4"):
        return Report("delayed", "delivery report: delayed", recipients, status)
    if actions:
        return Report("auto_reply", f"delivery report: {actions[0]}", recipients, status)
    return Report("bounce", "delivery report", recipients, status or _status(text))


def _looks_like_a_bounce(mail: Mail) -> bool:
    subject, sender = parts.header(mail, "Subject"), parts.header(mail, "From")
    if parts.header(mail, "X-Failed-Recipients"):
        return True
    null = any(value.strip() in ("<>", "") for value in parts.headers(mail, "Return-Path"))
    machine = bool(_FROM_MACHINE.search(sender)) or null or not sender
    text = parts.body(mail)[:8000]
    says = bool(_BODY.search(text) or _STATUS.search(text))
    if re.match(r"(?i)\s*(?:re|sv|aw|vs|antw)\s*:", subject):
        return machine and says
    return (machine and (says or bool(_SUBJECT.search(subject)))) or (
        bool(_SUBJECT.search(subject)) and says
    )


def _loose(mail: Mail) -> Report:
    """A report in prose: who and why, as far as it can be told."""
    text = parts.body(mail)[:20_000]
    named = parts.addresses(mail, "X-Failed-Recipients")
    head = re.split(r"(?im)^(?:[> -]*(?:original message|returned message|return-path:))", text)[0]
    to = named or tuple(dict.fromkeys(a.lower() for a in parts.ADDRESS.findall(head)))
    status = _status(text)
    late = _DELAYED.search(parts.header(mail, "Subject") + "\n" + head)
    if late and not (status or "").startswith("5"):
        return Report("delayed", "a notice of delay in prose", to, status)
    gone = len(to) == 1 and _gone(status, head)
    return Report("bounce", "a bounce in prose", to, status, hard=gone)


def _gone(status: str | None, text: str) -> bool:
    """Whether the address is gone. A vague status needs words that say so, none about policy."""
    if status is None or not status.startswith("5"):
        return False
    if _GONE_STATUS.match(status):
        return not re.search(
            r"(?i)(mailbox (?:is )?full|over quota|quota exceeded|rate|too (?:many|quickly|fast))",
            text,
        )
    return bool(_VAGUE_STATUS.match(status) and _GONE.search(text) and not _POLICY.search(text))


def _status(text: str) -> str | None:
    found = _STATUS.search(text)
    if found:
        return found.group(0)
    code = _CODE.search(text)
    return f"{code.group(1)}.x.x" if code else None


def _fields(part: Mail) -> str:
    """The fields of a report part. The parser turns them into blocks of headers."""
    payload = part.get_payload()
    if not isinstance(payload, list):
        return parts.decoded(part)
    blocks = [one for one in payload if not isinstance(one, str)]
    return "\n\n".join(
        "\n".join(f"{name}: {value}" for name, value in block.items()) for block in blocks
    )


def _field(text: str, name: str) -> str | None:
    found = re.search(rf"(?im)^{re.escape(name)}:\s*(.+)$", text)
    return found.group(1).strip() if found else None
