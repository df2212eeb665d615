"""Bounces in prose: who failed, told from how mail systems write (sendmail, qmail, exim, and kin).

They put the failed address first on a line of its own, in angle brackets, or in the command that
was refused. Addresses of the one who wrote, and of the report itself, are never it.
"""

import itertools
import re
from collections.abc import Collection, Iterable

from orchestrator.rules.mail import fields, parts
from orchestrator.rules.mail.fields import QUOTED, tidy
from orchestrator.rules.mail.parts import ADDRESS, Mail
from orchestrator.rules.mail.returned import Split, embedded, nested, up_to_header
from orchestrator.rules.patterns import lazy

_MOST = 6_000  # characters: who failed is named before that
_ANY = rf"(?:{QUOTED.pattern}|{ADDRESS.pattern})"
_MARKED = rf"(?:<{_ANY}>|\"?{_ANY}\"?)"
# Where failed addresses stand, from the surest to a guess. Each tier is tried alone.
_TIERS = tuple(
    lazy(pattern)
    for pattern in (
        # <a@b>: reason, <a@b>... reason, and a line that is the address, marked
        rf"(?m)^[ \t*>|-]{{0,12}}<({_ANY})>(?=\s*(?::|\.\.\.|$|\(|\[|;|,))",
        # a@b: reason; a@b ... reason; a@b [reason]; a@b (reason); or nothing else on the line
        rf"(?m)^[ \t*>|-]{{0,12}}(?:\d\. )?\"?({_ANY})\"?"
        r"(?=\s*(?::|\.\.\.|\[|\(|[,;]?[ \t]*$|[ \t]+-|\t))",
        # 550 5.1.1 <a@b>... reason
        rf"(?m)^[ \t>*-]{{0,12}}[45]\d\d[ -](?:[45]\.\d+\.\d+ )?<?({_ANY})>?"
        r"(?=\s*(?::|\.\.\.|,|;))",
        # Recipient: a@b; To: a@b; address <a@b>; delivering your mail to <a@b>
        rf"(?im)(?:recipients?|rcpt|address(?:e[sd])?|user|mailbox|account|deliver\w*"
        rf"|envoy\w*|empf\w+|destinat\w*|mottaker|reach|for|to)"
        rf"[^\n@<>]{{0,60}}?[\s:=(\"'\[<]({_ANY})",
        rf"(?i)rcpt to:\s*<?({_ANY})",
        rf"<({_ANY})>",
        rf"({_ANY})",
    )
)
_FROM = lazy(
    rf"(?im)(?:^|\b)(?:mail |envelope-?|return-?|reply-|x-|message-?)?(?:from|sender|path|id)\b"
    rf"[:\s]{{0,3}}[^\n@]{{0,60}}?<?({_ANY})"
)
# Words that a list of failed addresses stands behind.
_ANCHOR = lazy(
    r"(?i)(?:did not reach the following recipient|(?:not|n't|un)[ -]?(?:be(?:en)? )?(?:able to )?"
    r"(?:be )?(?:deliver\w*|sent|reach\w*)[^\n:]{0,60}\bto\b"
    r"|following (?:e-?mail )?(?:address|recipient|user)"
    r"|fail(?:ed|ing)? (?:recipient|address)|(?:recipient|address)\S{0,4} (?:had|failed|rejected)"
    r"|undeliver\w+ (?:address|recipient|to)|fatal errors|recipient address:)"
)
_SERVANT = lazy(
    r"(?i)^(?:mailer[-_.]?daemon|post[-_.]?mast\w*|root|no-?reply\w*|hostmaster|abuse|helpdesk"
    r"|support|mail-?admin\w*|bounce[sd]?|webmaster|admin|sysadmin|mdaemon)@"
)
_COMMAND = lazy(rf"(?i)rcpt to: ?<?({_ANY})")
_REFUSED = re.compile(r"^\W{0,8}[\w ]{0,12}\W{0,6}[45]\d\d[ -]")


def recipients(mail: Mail, split: Split) -> tuple[str, ...]:
    """Whom a report in prose is about; empty when it cannot be told."""
    named = [tidy(one) for one in parts.addresses(mail, "X-Failed-Recipients")]
    if named:
        return _once(named)
    fielded = [one.recipient for one in fields.records(split.said) if one.recipient]
    if fielded:
        return _once(fielded)
    others = _others(mail, split)
    # A report about a report has the address further down; a title too early hides it as well.
    texts = (split.said, split.returned[:4000] if nested(split) else "", up_to_header(split))
    for text in texts:
        text = text[:_MOST]
        if "@" not in text:
            continue
        said = _FROM.sub(" ", text)
        behind = _ANCHOR.search(said)
        if found := (
            (_listed(said[behind.end() :], others) if behind else ())
            or _listed(said, others)
            or _listed(text, others)
        ):
            return found
    # A mail to oneself, or to a postmaster: what stands where failed addresses stand is one.
    reporter = parts.addresses(mail, "From")
    said = split.said[:_MOST]
    if found := _listed(said, reporter, _TIERS[:2], servants=True) or _listed(
        _FROM.sub(" ", said), others, _TIERS[:4], servants=True
    ):
        return found
    inner = [*embedded(mail), Mail(split.returned.partition("\n")[2].encode("utf-8", "replace"))]
    for one in inner:
        to = [
            a for a in parts.addresses(one, "X-Envelope-To", "Envelope-To", "To") if a not in others
        ]
        if to:
            return _once(to[:1])
    return ()


def _listed(
    said: str,
    others: Collection[str],
    tiers: Iterable[re.Pattern[str]] = _TIERS,
    *,
    servants: bool = False,
) -> tuple[str, ...]:
    refused = _refused(said)
    for pattern in tiers:
        found = [tidy(one) for one in pattern.findall(said)[:200]]
        kept = [one for one in found if one not in others and (servants or not _SERVANT.match(one))]
        if kept:
            both = [one for one in kept if one in refused]
            return _once(both or kept)
    return ()


def _refused(said: str) -> set[str]:
    """The addresses whose RCPT was answered with 4yz or 5yz in a transcript."""
    lines = said.splitlines()[:2000]
    return {
        tidy(found.group(1))
        for line, after in itertools.pairwise(lines)
        if (found := _COMMAND.search(line[:400])) and _REFUSED.match(after)
    }


def _others(mail: Mail, split: Split) -> set[str]:
    """Addresses that are not the failed one: whom the report is sent to, and who wrote."""
    found = {*parts.addresses(mail, "To", "From", "Reply-To", "Return-Path", "Delivered-To", "Cc")}
    for inner in embedded(mail):
        found.update(parts.addresses(inner, "From", "Sender", "Return-Path", "Reply-To"))
    return found


def _once(found: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.lower() for one in found))[:200]
