"""What the program of a mailing list refuses to post: nobody got it, and no address is gone."""

import re

from orchestrator.rules.mail import parts
from orchestrator.rules.mail.parts import ADDRESS, Mail
from orchestrator.rules.mail.report import Report
from orchestrator.rules.patterns import lazy

_SUFFIX = re.compile(r"[-+](?:admin|owner|request|help|bounces|noreply)@")
# The servants of a list (RFC 2142, 6), and the names of the programs that keep one.
_SERVANT = lazy(
    rf"(?i)(?:{_SUFFIX.pattern}"
    r"|^(?:majordomo|listserv|sympa|mailman|ezmlm|fml)(?:[-+][\w-]{1,20})?@)"
)
_REFUSED = lazy(
    r"(?i)not (?:a |an? \w+ )?(?:member|subscriber|subscribed)\b"
    r"|only (?:\w+ )?(?:members|subscribers)\b|non-?(?:members|subscribers)\b"
    r"|not (?:allowed|authori[sz]ed|permitted) to (?:post|send|submit)"
    r"|(?:has been|was) rejected|automatically rejected|members-?only"
)
_AGAIN = re.compile(r"(?i)duplicated? message-?id|loop (?:alert|detected)|mail loop")
_WAITS = re.compile(r"(?i)awaits|is being held|waiting for|moderator approval|confirm")
_LIST = lazy(
    rf"(?i)\blist\W{{1,5}}({ADDRESS.pattern})|({ADDRESS.pattern})\W{{1,3}}(?:mailing )?list\b"
)
_ANSWERS = re.compile(r"(?i)\s*(?:re|sv|aw|vs|antw)\s*:")


def refusal(mail: Mail, text: str) -> Report | None:
    """The refusal of a post by a list's program; None for anything else that it says."""
    senders = parts.addresses(mail, "From")
    subject = parts.header(mail, "Subject")
    if not any(_SERVANT.search(one) for one in senders[:1]) or _ANSWERS.match(subject):
        return None
    said = f"{subject}\n{text[:3000]}"
    found, again = _REFUSED.search(said), _AGAIN.search(said)
    if (
        (found is None and again is None)
        or _WAITS.search(said)
        or parts.header(mail, "In-Reply-To")
    ):
        return None
    named = _LIST.search(text[:3000])
    to = ((named.group(1) or named.group(2)) if named else _SUFFIX.sub("@", senders[0])).lower()
    if again := _AGAIN.search(said):  # it has it already, and will refuse it again
        return Report("bounce", "other", (f"a list refuses it: {again.group()}",), (to,))
    if found := _REFUSED.search(said):
        return Report("bounce", "policy", (f"a list refuses it: {found.group()}",), (to,))
    return None
