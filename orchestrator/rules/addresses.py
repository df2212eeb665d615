"""Addresses of people in the one spelling that is stored, hashed for suppression and mailed to.

Whoever reads an address differently from whoever checks it opens a way around a suppression
(an "address parser differential"). So there is one spelling that every parser reads alike, and what
could be read in two ways (display names, comments, quotes, source routes, lists) is refused.
"""

import re
from collections.abc import Iterable
from functools import lru_cache

import phonenumbers

from channels.email.address import canonical_address

# The plain addresses that make up nearly every file. The library agrees on all of them (a property
# test holds it to that) and takes twenty times as long to say so.
_PLAIN = re.compile(
    r"[a-z0-9_+-]+(?:\.[a-z0-9_+-]+)*@(?:(?!.{0,61}--)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}",
    re.ASCII,
)
# The same in two parts: the domains of a file repeat.
_PLAIN_LOCAL = re.compile(r"[a-z0-9_+-]+(?:\.[a-z0-9_+-]+)*", re.ASCII)
_PLAIN_DOMAIN = re.compile(
    r"(?:(?!.{0,61}--)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}", re.ASCII
)
# Addresses that anybody can have: they say nothing about where a person works.
_FREEMAIL_DOMAINS = (
    "gmail.com googlemail.com outlook.com hotmail.com hotmail.no hotmail.se hotmail.co.uk live.com"
    " live.no live.se msn.com yahoo.com yahoo.no yahoo.se yahoo.co.uk icloud.com me.com mac.com"
    " aol.com proton.me protonmail.com pm.me gmx.com gmx.de gmx.net web.de t-online.de mail.com"
    " mail.ru yandex.com yandex.ru zoho.com fastmail.com hey.com tutanota.com tuta.io online.no"
    " broadpark.no getmail.no frisurf.no telia.com bredband.net comhem.se spray.se passagen.se"
    " yahoo.de yahoo.fr orange.fr free.fr wanadoo.fr laposte.net libero.it qq.com 163.com"
    " mail.dk jubii.dk stofanet.dk elisanet.fi luukku.com seznam.cz wp.pl o2.pl"
)
_FREEMAIL = frozenset(_FREEMAIL_DOMAINS.split())
_DOMAIN = re.compile(
    r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]", re.ASCII
)


def email(text: str) -> str:
    """The canonical address: lower case, ASCII, the domain by IDNA.

    The local part is folded too: RFC 5321 (2.4) lets a provider tell `Ola@` from `ola@`, none in
    use does, and a no said to one must hold for the other. Raises ValueError in words for people.
    """
    stripped = text.strip(" ")
    if stripped.isascii() and len(stripped) <= 254 and stripped.find("@") <= 64:
        folded = stripped.lower()
        if _PLAIN.fullmatch(folded):
            return folded
    return canonical_address(stripped)


def plain_emails(texts: Iterable[str]) -> list[str | None]:
    """What `email` says of each of `texts`, which begin and end with no space; None where it has to
    be asked."""
    found: list[str | None] = []
    domains: dict[str, bool] = {}
    for text in texts:
        folded = text.lower()
        local, _, domain_part = folded.partition("@")
        plain = domains.get(domain_part)
        if plain is None:
            plain = domains[domain_part] = _PLAIN_DOMAIN.fullmatch(domain_part) is not None
        good = (
            plain
            and len(local) <= 64
            and len(text) <= 254
            and text.isascii()
            and _PLAIN_LOCAL.fullmatch(local)
        )
        found.append(folded if good else None)
    return found


def is_freemail(domain_part: str) -> bool:
    """Whether anybody can have an address at this domain."""
    return domain_part in _FREEMAIL


def handle(text: str) -> str:
    """An address of a channel that is not installed: trimmed, one word, no control characters.

    Raises ValueError.
    """
    stripped = text.strip()
    if not stripped or len(stripped) > 254 or not stripped.isprintable() or " " in stripped:
        raise ValueError(f"`{stripped[:60]}` is no single word that could be an address")
    return stripped


def phone(text: str, country: str | None) -> str:
    """A telephone number as E.164. `country` is alpha-2, for numbers without +47 or the like.

    Raises ValueError.
    """
    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException as error:
        hint = "" if country else ": write it with +47 or the like, or give a country"
        raise ValueError(f"`{text}` is no telephone number{hint}") from error
    if not phonenumbers.is_valid_number(number):
        raise ValueError(f"`{text}` is no telephone number in use")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


@lru_cache(maxsize=4096)
def domain(text: str) -> str:
    """A company's domain, also out of a web address: `https://www.Acme.no/about` -> `acme.no`.

    Raises ValueError.
    """
    host = re.sub(r"^[a-z]+://", "", text.strip().lower()).split("/")[0].split(":")[0]
    try:
        ascii_host = host.encode("idna").decode("ascii")
    except UnicodeError:
        ascii_host = ""
    found = ascii_host.removeprefix("www.").rstrip(".")
    if len(found) > 253 or not _DOMAIN.fullmatch(found):
        raise ValueError(f"`{text}` is no domain: write acme.no")
    return found


def company_domain(address: str) -> str | None:
    """The domain of a canonical email address, unless anybody could have an address there."""
    found = address.rpartition("@")[2]
    return None if found in _FREEMAIL else found
