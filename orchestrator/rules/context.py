"""What a template may say about a person: the values, and the context that they become.

A value that is unknown is left out of the context, never put in as "" or None: strict rendering
then names it, and the message becomes a task instead of a letter with a hole in it (L6).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True)
class CompanyFacts:
    """The company of a prospect."""

    id: UUID
    name: str
    domain: str | None = None
    country: str | None = None


@dataclass(frozen=True, slots=True)
class IdentityFacts:
    """One channel address of a prospect. `state` is usable or bounced; `suppressed` says that a
    suppression of any scope names this address."""

    id: UUID
    channel: str
    address: str
    state: str = "usable"
    suppressed: bool = False


@dataclass(frozen=True, slots=True)
class Fact:
    """The newest fact of one name."""

    name: str
    value: str
    source: str | None = None
    found_on: date | None = None


@dataclass(frozen=True, slots=True)
class PersonFacts:
    """A prospect with all that planning, rendering and `why` need to know of them."""

    id: UUID
    first_name: str = ""
    last_name: str = ""
    title: str | None = None
    language: str | None = None
    country: str | None = None
    zone: str | None = None
    phone: str | None = None
    preferred_channel: str | None = None
    not_before: datetime | None = None
    opted_out_at: datetime | None = None
    paused_at: datetime | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    company: CompanyFacts | None = None
    identities: tuple[IdentityFacts, ...] = ()  # oldest first
    facts: Mapping[str, Fact] = field(default_factory=dict)  # by name

    @property
    def name(self) -> str:
        """First and last name, or "" when neither is known."""
        return f"{self.first_name} {self.last_name}".strip()

    def identity(self, channel: str) -> IdentityFacts | None:
        """The first address on `channel` that a message may go to, or None."""
        for one in self.identities:  # a generator costs twice as much, and it is asked four times
            if one.channel == channel and one.state == "usable" and not one.suppressed:
                return one
        return None


class Signature(Protocol):
    """What a template may say of the sender. `channels.base.Account` is one."""

    @property
    def name(self) -> str: ...
    @property
    def display_name(self) -> str: ...
    @property
    def address(self) -> str: ...


_OWN = ("first_name", "last_name", "title", "language")


def _known(values: Mapping[str, str | None]) -> dict[str, str]:
    """`values` without what is empty."""
    return {name: value for name, value in values.items() if value and not value.isspace()}


def signature(sender: Signature) -> dict[str, str]:
    """What templates may say of a sender."""
    return _known({"name": sender.display_name or sender.name, "address": sender.address})


def context_of(
    person: Mapping[str, Any],
    facts: Mapping[str, str],
    signed: Mapping[str, str],
    organisation: str,
    page_url: str,
) -> dict[str, Any]:
    """The context of a prospect's templates: first_name, last_name, title, language, company.name,
    company.domain, fact.<name>, sender.name, sender.address, organisation, page_url.

    `person` has the first four and company_name and company_domain; `signed` is a `signature`.
    `company`, `fact` and `sender` are always there, possibly empty; every other name is there only
    when its value is known.
    """
    context: dict[str, Any] = {
        "company": _known({"name": person["company_name"], "domain": person["company_domain"]}),
        "fact": _known(facts),
        "sender": signed,
    }
    for name in _OWN:
        value = person[name]
        if value and not value.isspace():
            context[name] = value
    if organisation and not organisation.isspace():
        context["organisation"] = organisation
    if page_url:
        context["page_url"] = page_url
    return context


def template_context(
    person: PersonFacts,
    company: CompanyFacts | None,
    facts: Mapping[str, Fact | str],
    sender: Signature,
    organisation: str,
    page_url: str,
) -> dict[str, Any]:
    """`context_of` the values that the planner and the previews have."""
    values = {name: getattr(person, name) for name in _OWN} | {
        "company_name": company.name if company else None,
        "company_domain": company.domain if company else None,
    }
    said = {name: one.value if isinstance(one, Fact) else one for name, one in facts.items()}
    return context_of(values, said, signature(sender), organisation, page_url)
