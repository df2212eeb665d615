"""The message that a report returns: where it begins in the text, and its Message-ID."""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.rules.mail import parts
from orchestrator.rules.mail.parts import Mail

_MOST = 24_000  # characters of a report; what it returns begins there or is attached
_MOST_LINES = 2_000
# Fields that begin a returned header; a report itself writes few of them at the start of a line.
_STRONG = re.compile(
    r"(?im)^[> \t]{0,8}(?:received|return-path|message-id|mime-version|x-mailer|dkim-signature"
    r"|domainkey-signature|content-type|content-transfer-encoding|delivered-to|user-agent"
    r"|x-originating-ip|x-spam-\w+|arc-seal|authentication-results|x-received):"
)
# A line that says that the message follows, as it stands without dashes and other ornament.
_TITLE = re.compile(
    r"(?i)(?:(?:this is |below (?:this line )?is |here is )?(?:a copy of )?(?:the |your |a )?)"
    r"(?:headers? of (?:the |your )?|body of (?:the |your )?|first \d+ \w+ of (?:the |your )?)?"
    r"(?:original|returned|unsent|undeliver\w+|bounced|failed|rejected|received|included|message"
    r"|start of|text of) ?"
    r"(?:message|mail|e-?mail|headers?|text|copy|body|letter|part|the|your)\b(?! log)"
    r".{0,50}?(?:follow\w*|below|begins?|attached|included|transcript|headers?|message|mail|text)?\W*"
    r"|below this line.{0,60}|this is a copy of.{0,60}"
)
_ORNAMENT = re.compile(r"[^\w\n]{1,60}")
_ID = re.compile(
    r"(?im)^[>|\s*]{0,12}(?:message-?id|original-message-id)\s*:\s*<?([^\s<>]{3,900})>?"
)
_LOOSE_ID = re.compile(
    r"(?i)(?:message-?id|msgid|message (?:id|identifier)|mid)\W{0,6}"
    r"<?([^\s<>;,\"']{1,400}@[^\s<>;,\"')]{1,300})"
)
_NESTED = re.compile(r"(?im)^from:[^\n]{0,80}(?:mailer-daemon|post-?master)@")
_HEADERS = (
    "text/rfc822-headers",
    "text/rfc822-header",
    "message/rfc822-headers",
    "message/global-headers",
    "message/rfc822",
    "message/global",
)
_REPORTS = (
    "message/feedback-report",
    "message/delivery-status",
    "message/disposition-notification",
    "message/global-disposition-notification",
)


@dataclass(frozen=True, slots=True)
class Split:
    """The text of a report, and of what it returns."""

    said: str
    returned: str


def split(text: str) -> Split:
    """Where the report ends and the returned message begins, if it is in the same text."""
    text = text[:_MOST]
    starts = [at for at in _titles(text) if at > 20]
    strong = [found.start() for found in _STRONG.finditer(text)]
    # Two such fields close together are a header; one alone may be a field of the report.
    pairs = [a for a, b in itertools.pairwise(strong) if b - a < 1500]
    # A title counts where a header comes soon after, or when there is no header at all.
    titled = [at for at in starts if any(at < one < at + 600 for one in strong) or not pairs]
    at = min([*titled[:1], *pairs[:1]], default=len(text))
    return Split(text[:at], text[at:])


def _titles(text: str) -> Iterator[int]:
    """Where a line announces the returned message."""
    at = 0
    for line in text.splitlines(keepends=True)[:_MOST_LINES]:
        if 8 < len(line) < 140:
            bare = _ORNAMENT.sub("", line, count=1) if not line[:1].isalnum() else line
            # Plain prose begins like this as well; a title is set apart, or ends in a colon.
            marked = bare is not line or line.rstrip().endswith((":", ".", "-"))
            if marked and _TITLE.fullmatch(bare.strip()):
                yield at
        at += len(line)


def nested(text: Split) -> bool:
    """Whether what is returned is a report itself."""
    return bool(_NESTED.search(text.returned[:3000]))


def up_to_header(text: Split) -> str:
    """What stands between a title and the returned header behind it."""
    strong = _STRONG.search(text.returned)
    return text.returned[: strong.start()] if strong else text.returned[:2000]


def embedded(mail: Mail) -> list[Mail]:
    """The headers of the messages that are attached, outermost first."""
    found = []
    for part in parts.walk(mail, into_mails=True):
        kind = parts.content_type(part)
        if part is not mail and kind.startswith("text/plain") and _is_mail(part):
            found.append(part)
        if part is mail or kind not in _HEADERS:
            continue
        if part.parts:
            found.append(part.parts[0])
        elif kind not in ("message/rfc822", "message/global"):
            found.append(Mail(parts.decoded(part).lstrip().encode("utf-8", "replace")))
    return found[:10]


def ids(mail: Mail, text: str) -> tuple[str, ...]:
    """Message-IDs of the returned message, likeliest first: of its own header, of a header quoted
    in the text, of the thread, and of a phrase."""
    inner = embedded(mail)
    # In a report about a report, the message that began it comes first.
    inner = [one for one in inner if not _is_report(one)] or inner
    found = [found for one in inner for found in _own_ids(one)]
    for part in parts.walk(mail):
        if parts.content_type(part) in _REPORTS:
            found += _bracketed(_ID.findall(parts.decoded(part)))
    cut = split(text)
    quoted = _bracketed(_ID.findall(cut.returned))
    found += reversed(quoted) if nested(cut) else quoted
    certain = set(found)  # also where it is the report's own, as some gateways write it
    found += _bracketed(_ID.findall(text[:_MOST]))
    if not found:
        for part in itertools.islice(parts.walk(mail), 1, 8):
            if parts.content_type(part) in ("text/plain", "text/html"):
                found += _bracketed(_ID.findall(parts.decoded(part)[:_MOST]))
    found += parts.ids(mail, "X-Original-Message-ID", "Original-Message-ID", "In-Reply-To")
    found += reversed(parts.ids(mail, "References"))
    found += _bracketed(_LOOSE_ID.findall(text[:_MOST]))
    own = set(parts.ids(mail, "Message-ID")) - certain
    return tuple(one for one in dict.fromkeys(found) if one not in own)[:50]


def _is_mail(part: Mail) -> bool:
    """Whether a part's own header is that of a mail: some put the returned one in there bare."""
    return any(name == b"received" for name, _ in part.fields)


def _is_report(inner: Mail) -> bool:
    return parts.content_type(inner) == "multipart/report" or bool(
        _NESTED.search("From: " + parts.header(inner, "From"))
    )


def _own_ids(inner: Mail) -> list[str]:
    """The Message-ID of an attached message, also one without its angle brackets."""
    values = parts.headers(inner, "Message-ID")
    return _bracketed(re.findall(r"[^\s<>]{3,900}", " ".join(values))[:3])


def _bracketed(found: list[str]) -> list[str]:
    return [f"<{one.strip('<>')}>" for one in found[:20]]
