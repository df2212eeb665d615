"""Addresses: one spelling for storing, for suppressing and for the envelope."""

import re

from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email

# An addr-spec that means the same to every parser: dot-atom, no quotes, comments or brackets.
_ATOM = r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_STRICT = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@(?:{_LABEL}\.)+{_LABEL}", re.ASCII)

# What nearly every address looks like. The library says the same of it and takes 40 us to do so,
# for each event of a provider and each row of an import (tests/channels/test_address.py).
_PLAIN = re.compile(
    r"(?=.{1,64}@)[a-z0-9]+(?:[._+-][a-z0-9]+)*"
    r"@(?:(?=[a-z0-9-]{1,63}\.)[a-z0-9]+(?:-[a-z0-9]+)*\.)+[a-z]{2,63}",
    re.ASCII,
)
_SPECIAL = tuple(mark + name for name in SPECIAL_USE_DOMAIN_NAMES for mark in ".@")


def canonical_address(address: str) -> str:
    """Lower case and ASCII, the domain by IDNA. Raises ValueError in words for a person.

    Local parts are folded: no mailbox provider in use tells `Ola@` from `ola@`, and a suppression
    must hold for both.
    """
    if address.isascii() and len(address) <= 250:
        lower = address.lower()
        if _PLAIN.fullmatch(lower) and not lower.endswith(_SPECIAL):
            return lower
    return _looked_over(address)


def _looked_over(address: str) -> str:
    try:
        found = validate_email(
            address.strip(),
            check_deliverability=False,
            allow_smtputf8=False,
            globally_deliverable=False,  # .example and .test are fine; a dot is asked for below
        )
    except EmailNotValidError as error:
        raise ValueError(f"`{address}` is no email address: {error}") from None
    canonical = (found.ascii_email or found.normalized).lower()
    if not is_canonical(canonical):
        raise ValueError(f"`{address}` is no email address that mail can be sent to.")
    return canonical


def is_canonical(address: str) -> bool:
    """Whether `address` is exactly what the envelope may carry."""
    return len(address) <= 254 and _STRICT.fullmatch(address) is not None
