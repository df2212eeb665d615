"""Who wrote in somebody's thread from an address that we do not know. Pure.

Whoever names our Message-ID has the mail, and no more is certain: it may be the person by another
address, a colleague it was forwarded to, or anybody else. Only the person's own answer earns
anything (L1); what a colleague or a stranger writes stops the sequence until one of us has read it.
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal

from orchestrator.rules.addresses import company_domain

Writer = Literal["theirs", "colleague", "stranger"]

# Mailboxes that several people read: whoever answers from the same house answers for it.
_SHARED_NAMES = (
    "post info kontakt contact office mail firmapost postmottak hello hei hej hallo sales salg"
    " support admin administration kontor reception resepsjon service team"
)
_SHARED = frozenset(_SHARED_NAMES.split())
_GMAIL = frozenset({"gmail.com", "googlemail.com"})
_WORD = re.compile(r"[^\W\d_]+")
_LETTERS = {
    "ø": "o",
    "æ": "ae",
    "å": "a",
    "ö": "o",
    "ä": "a",
    "ü": "u",
    "ß": "ss",
    "đ": "d",
    "ł": "l",
}


@dataclass(frozen=True, slots=True)
class Owner:
    """The prospect whose thread it is."""

    first_name: str = ""
    last_name: str = ""
    addresses: tuple[str, ...] = ()  # canonical, of mail
    company_domain: str | None = None


def who_wrote(address: str | None, name: str, owner: Owner) -> tuple[Writer, str]:
    """Who has the canonical `address` and shows `name` beside it, and how that was told."""
    if address is None or "@" not in address:
        return "stranger", "no address in From"
    folded = bare(address)
    if any(folded == bare(one) for one in owner.addresses):
        return "theirs", "another spelling of their address"
    local, _, domain = folded.rpartition("@")
    near = any(_one_house(domain, house) for house in _houses(owner))
    if near and any(bare(one).partition("@")[0] in _SHARED for one in owner.addresses):
        return "theirs", "an answer for a shared mailbox"
    if _named(name, owner) or _in_local_part(local, owner, near=near):
        return "theirs", "their name on another address"
    if near:
        return "colleague", "an address of their company"
    return "stranger", "an address that nobody knows"


def bare(address: str) -> str:
    """An address without what its owner may add to it: `ola+x@` and, at Gmail, dots."""
    local, _, domain = address.lower().rpartition("@")
    local = local.partition("+")[0] or local
    if domain in _GMAIL:
        return f"{local.replace('.', '')}@gmail.com"
    return f"{local}@{domain}"


def _houses(owner: Owner) -> set[str]:
    """The domains of the owner's company, as far as they are known."""
    found = {company_domain(one) for one in owner.addresses} | {owner.company_domain}
    return {one for one in found if one and company_domain(f"x@{one}")}


def _one_house(domain: str, house: str) -> bool:
    return domain == house or domain.endswith("." + house) or house.endswith("." + domain)


def _named(name: str, owner: Owner) -> bool:
    """Whether the name shown is the owner's: all of first and last, in any order."""
    wanted = set(_words(owner.first_name)) | set(_words(owner.last_name))
    return len(wanted) >= 2 and wanted <= set(_words(name))


def _in_local_part(local: str, owner: Owner, *, near: bool) -> bool:
    """`ola.hansen`, `hansen-ola`, `olahansen`; at their own company `ohansen` and `olah`, too."""
    first, last = _words(owner.first_name), _words(owner.last_name)
    if not first or not last:
        return False
    if {first[0], last[-1]} <= set(_words(local)):
        return True
    whole = "".join(_words(local))
    if whole in (first[0] + last[-1], last[-1] + first[0]):
        return True
    return near and whole in (first[0][0] + last[-1], first[0] + last[-1][0])


def _words(text: str) -> list[str]:
    """Its words in plain letters: `Bjørn-Ås` and `bjorn.as` are alike."""
    lowered = "".join(_LETTERS.get(char, char) for char in text.casefold())
    plain = unicodedata.normalize("NFKD", lowered)
    return _WORD.findall("".join(char for char in plain if not unicodedata.combining(char)))
