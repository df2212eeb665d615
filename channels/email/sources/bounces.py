"""What a bounce says of the address: only `hard` means that nobody lives there."""

import re

from channels.base import BounceClass

_STATUS = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.])")
_FULL = re.compile(
    r"(?i)mailbox (?:is )?full|over ?quota|quota exceeded|exceeded .{0,40}quota"
    r"|insufficient (?:system )?storage"
)
_POLICY = re.compile(
    r"(?i)spam|block|black ?list|polic|reputation|dmarc|spf|dkim|relay|virus|too large|content"
)
_GONE = re.compile(
    r"(?i)(?:user|recipient|mailbox|address|account) (?:is )?(?:unknown|not found|does(?: not|n.t)"
    r" exist|disabled|inactive)|unknown (?:user|recipient|mailbox)|no such (?:user|mailbox"
    r"|recipient|address)"
)
# Bad mailbox, bad domain, bad syntax, moved, no mail host, disabled, no route (RFC 3463, 3.2-3.5).
_NOBODY = frozenset({"1.1", "1.2", "1.3", "1.6", "1.10", "2.1", "4.4"})


def classify(status: str, text: str, said: BounceClass = "other") -> BounceClass:
    """The class of a delivery that failed for good.

    `status` is the enhanced code (RFC 3463) where there is one, `text` the server's own words,
    `said` what the provider makes of it. A code that blames the mailbox's size or a policy is
    believed before a provider's "permanent": suppressing an address that works loses a person.
    """
    found = _STATUS.search(status) or _STATUS.search(text)
    if found:
        kind, rest = found[1], f"{found[2]}.{found[3]}"
        if rest == "2.2":
            return "mailbox_full"
        if kind == "4":
            return "transient"
        if rest in _NOBODY:
            return "hard"
        if found[2] in ("6", "7") or rest == "3.4":
            return "blocked"
    if _GONE.search(text):
        return "hard"
    if _FULL.search(text):
        return "mailbox_full"
    if _POLICY.search(text):
        return "blocked"
    return said
