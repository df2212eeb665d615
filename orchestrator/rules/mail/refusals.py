"""Why a server refused: the coarse class of a failure, from its words and its codes.

Words that name the cause come before codes, for many servers send 5.7.1 or 5.1.1 for everything;
codes (RFC 3463 and its registry) before words that only hint; a bare SMTP code is last. Hosts,
addresses and links are taken out first: `mx.spamfilter.example said: user unknown` is no blocking.
"""

import re
from functools import cached_property
from typing import Literal

from orchestrator.rules.mail.fields import STATUS
from orchestrator.rules.mail.stage import Stage, refused_at
from orchestrator.rules.mail.words import words

Class = Literal["hard", "mailbox_full", "policy", "transient", "other"]

_MOST = 4000
_NOISE = re.compile(  # 5.1.0 - Unknown address error: IronPort's word for any refusal
    r"""(?ix) \b5\.1\.0 \s - \s unknown \s address \s error
    | https?://\S{1,500} | www\.\S{1,300} | (?<![^\s<>()@])[^\s<>()@]{0,100}+@[\w.-]{1,200}
    | (?<![\w.-])(?=[^\s]{0,60}[a-z])[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63}){1,8}\.?(?![\w])
    | \[[0-9a-f.:]{3,45}\] | \b\d{1,3}(?:\.\d{1,3}){3}\b"""
)

_SUBJECT = re.compile(
    r"(?i)(?<!from[\s:])(?<!from:\s)(?<![^\s<>()@])<?[^\s<>()@]{1,100}+@[\w.-]{1,200}>?[\s:,.]{1,4}"
    r"(?=(?:does|is|was|not|rejected|unknown|refused|no\slonger|has)\b)"
)

# Links that a refusal carries in whatever language the rest is.
_LINKS: tuple[tuple[Class, re.Pattern[str]], ...] = (
    (
        "hard",
        re.compile(
            r"(?i)support\.google\.com/mail/(?:\?p=(?:NoSuchUser|DisabledUser)|answer/6596)"
        ),
    ),
    (
        "mailbox_full",
        re.compile(r"(?i)support\.google\.com/mail/(?:\?p=OverQuota|answer/(?:22370|6558))"),
    ),
    (
        "policy",
        re.compile(
            r"(?i)groups\.google\.com/support|support\.google\.com/(?:a/answer/168383"
            r"|mail/(?:answer/(?:81126|188131|690)|\?p=(?:Unsolicited|Blocked|Unauth)))"
            r"|spamhaus\.org|barracudacentral\.org"
            r"|spamcop\.net|dnsbl-lookup|sendersupport\.olc|mimecast\S{1,60}\?bcode|uceprotect\.net"
        ),
    ),
)

# Codes that say the address is gone: bad mailbox, system or syntax, moved, disabled, no route.
_GONE_CODE = re.compile(r"5\.(?:1\.(?:[12346]|10)|2\.1|4\.4|7\.13)$")
_SENDER_STATUS = re.compile(r"[45]\.1\.[789]$")  # bad sender (RFC 3463, 3.2)
_SENDER_CODE = re.compile(r"[45]\.(?:1\.[789]|6\.\d+|7\.\d+)$")
_AT_LENGTH = re.compile(
    r"(?i)have an?\b|n.t have|no longer|\b(?:disabled|closed|deactivated|deleted|suspended|moved)\b"
)
_FULL_CODE = re.compile(r"[45]\.2\.2$")
# Network and routing (X.4), of which 3463 says of most that only a later attempt can mend it.
_LATE_CODE = re.compile(r"(?:4\.\d+\.\d+|5\.4\.\d+|5\.3\.2)$")
_OTHER_CODE = re.compile(r"5\.(?:2\.[34]|3\.\d+|5\.[1-9]\d*)$")


def classify(status: str | None, diagnostic: str, text: "str | Around" = "") -> tuple[Class, str]:
    """The class of one failure and what it was decided on. `diagnostic`: what the server said of
    this recipient; `text`: what else the report says, read only where the diagnostic is silent."""
    status = worst(status, diagnostic)
    around = text if isinstance(text, Around) else Around(text)
    found = _decide(status, diagnostic, around)
    stage = refused_at(diagnostic, around.text)
    if stage and stage != "rcpt" and _not_the_address(found, stage):
        return "policy", f"{found[1]}, but in reply to {stage.upper()}"
    return found


def _not_the_address(found: tuple[Class, str], stage: Stage) -> bool:
    """Whether a refusal at another command than RCPT says less than its words: nobody was named
    yet; or RCPT was accepted, and "user unknown" is how some then say that they filtered it. What
    a server tells of an account at length ("this user doesn't have ...") it means."""
    if stage == "data":
        return found[0] == "hard" and not _AT_LENGTH.search(found[1])
    return found[0] == "hard" or (found[0] == "other" and found[1].startswith(_BARE))


def _decide(status: str | None, diagnostic: str, around: "Around") -> tuple[Class, str]:
    if status and _SENDER_STATUS.match(status):
        return "policy", f"status {status}"
    if status == "5.4.1" and "access denied" in diagnostic[:_MOST].lower():
        return "hard", "5.4.1 access denied: Exchange's word for an unknown address"
    quiet = _stood_in(diagnostic)
    if found := _clear(_first(diagnostic[:_MOST], quiet), quiet, status):
        return found[0], f"server: {found[1]}"
    if coded := _by_code(status):
        return coded, f"status {status}"
    if found := _unclear(quiet):
        return found[0], f"server: {found[1]}"
    if found := _clear(around.first, around.quiet, status) or around.unclear:
        return found[0], f"report: {found[1]}"
    if status and status.startswith("4"):
        return "transient", f"status {status}"
    return _by_reply(diagnostic or around.text)


def worst(status: str | None, diagnostic: str) -> str | None:
    """The status to go by: a vague one gives way to the one that the server itself quoted."""
    vague = status is None or re.match(r"[45]\.(?:[013]\.0|\d+\.0)$", status)
    if not vague:
        return status
    quoted = (one.group() for one in STATUS.finditer(diagnostic[:_MOST]))
    return next((one for one in quoted if not one.endswith(".0.0")), status)


def _quiet(text: str) -> str:
    """The words alone, without hosts, addresses and links, which may spell anything."""
    return " ".join(_NOISE.sub(" ", text[:_MOST]).split())


def _stood_in(diagnostic: str) -> str:
    """Where the address is the subject of what a server says ("<a@b> does not exist") the word
    stands for it."""
    return _quiet(_SUBJECT.sub(" address ", diagnostic[:_MOST]))


# Lists of words, the first that fits wins.
_CLEAR: tuple[tuple[Class, str], ...] = (
    ("policy", "sender"),
    ("mailbox_full", "full"),
    ("hard", "gone"),
    ("policy", "blocked"),
    ("other", "large"),
    ("policy", "relay"),
    ("transient", "late"),
    ("transient", "loop"),
    ("other", "broken"),
)


def _first(said: str, quiet: str) -> tuple[Class, str] | None:
    """The class that a link or the first list of words names."""
    for name, pattern in _LINKS if said else ():
        if found := pattern.search(said):
            return name, f"link {found.group()}"
    for name, list_name in _CLEAR if said else ():
        if found := words(list_name).search(quiet):
            return name, found.group().strip()[:60]
    return None


def _clear(
    found: tuple[Class, str] | None, quiet: str, status: str | None
) -> tuple[Class, str] | None:
    """The same, knowing the status. With 4yz they say: not yet; but that a domain is in no DNS is
    final (RFC 8020)."""
    late = (status or "").startswith("4") and "nxdomain" not in quiet.lower()
    if found and found[0] == "hard" and late and not found[1].startswith("link "):
        return "transient", found[1]
    return found


class Around:
    """What a report says beside the words of the servers, read once for all its causes."""

    def __init__(self, text: str) -> None:
        self.text = text[:_MOST]

    @cached_property
    def quiet(self) -> str:
        """Its words alone."""
        return _quiet(self.text)

    @cached_property
    def first(self) -> tuple[Class, str] | None:
        """The class that they name."""
        return _first(self.text, self.quiet)

    @cached_property
    def unclear(self) -> tuple[Class, str] | None:
        """The class that they hint at."""
        return _unclear(self.quiet)


def _unclear(quiet: str) -> tuple[Class, str] | None:
    found = words("hints").search(quiet)
    return ("hard", found.group()[:60]) if found else None


def _by_code(status: str | None) -> Class | None:
    if status is None or status.endswith(".0.0"):
        return None
    codes: tuple[tuple[Class, re.Pattern[str]], ...] = (
        ("mailbox_full", _FULL_CODE),
        ("hard", _GONE_CODE),
        ("policy", _SENDER_CODE),
        ("transient", _LATE_CODE),
        ("other", _OTHER_CODE),
    )
    return next((name for name, pattern in codes if pattern.match(status)), None)


_BARE = "reply code"
_REPLY = re.compile(r"(?<![\d.])([45]\d\d)(?=[\s\-:;,#)\]]|$)")
_REPLIES: dict[str, Class] = {
    "551": "hard", "511": "hard", "552": "mailbox_full",
    "521": "policy", "554": "policy", "571": "policy", "541": "policy", "530": "policy",
    "535": "policy",
}  # fmt: skip


def _by_reply(text: str) -> tuple[Class, str]:
    """By a bare SMTP code (RFC 5321, 4.2.3): what servers mostly mean by it."""
    found = _REPLY.search(text[:_MOST])
    if found is None:
        return "other", "no reason given"
    code = found.group(1)
    return _REPLIES.get(code, "transient" if code[0] == "4" else "other"), f"{_BARE} {code}"
