"""What comes in and goes out about prospects."""

from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from channels.registry import CHANNELS
from orchestrator.api.shapes import In, Long, Name, Out, Short, When
from orchestrator.errors import BadInput


class Identity(Out):
    """One address of a prospect on one channel."""

    id: UUID
    channel: str
    address: str
    state: Literal["usable", "bounced"]


class Company(Out):
    """Where a prospect works."""

    id: UUID
    name: str
    domain: str | None


class Prospect(Out):
    """One person. `opted_out_at` is for good; `paused_at` and `not_before` are not."""

    id: UUID
    first_name: str
    last_name: str
    title: str | None
    company: Company | None
    language: str | None
    country: str | None
    zone: str | None
    phone: str | None
    preferred_channel: str | None
    identities: list[Identity]
    not_before: datetime | None
    opted_out_at: datetime | None
    paused_at: datetime | None
    owner_id: UUID | None = Field(description="the user whose person this is")
    attributes: dict[str, Any]
    created_at: datetime
    updated_at: datetime


class Fact(Out):
    """One fact of research. Of several with one name, the newest counts."""

    id: UUID
    name: str
    value: str
    source: str | None
    found_on: date | None
    recorded_at: datetime


class Facts(Out):
    """What is known of a prospect by research."""

    items: list[Fact]


class NewFact(In):
    """A fact, where it is from and of which day it is."""

    name: Name = Field(examples=["pain"])
    value: Long
    source: Short | None = None
    found_on: date | None = None


class NewCompany(In):
    """Where a prospect works. Rows with one domain, or else one name, share a company."""

    name: Short | None = None
    domain: Short | None = None
    country: Short | None = None


class NewProspect(In):
    """A person with at least one address. Countries, languages and zones are read generously."""

    email: Short | None = None
    slack: Short | None = None
    linkedin: Short | None = None
    identities: dict[Name, Short] = Field(
        default_factory=dict, max_length=20, description="addresses by channel, the same and more"
    )
    first_name: Short | None = None
    last_name: Short | None = None
    title: Short | None = None
    language: Short | None = None
    country: Short | None = None
    zone: Short | None = None
    phone: Short | None = None
    company: NewCompany | None = None
    facts: list[NewFact] = Field(default_factory=list, max_length=100)
    attributes: dict[Name, Long] = Field(default_factory=dict, max_length=100)

    def columns(self) -> dict[str, str]:
        """The same by the column names of an import."""
        apart = {"identities", "company", "facts", "attributes"}
        plain = self.model_dump(exclude=apart, exclude_none=True)
        found: dict[str, str] = dict(plain)
        for channel, address in self.identities.items():
            if channel not in CHANNELS:
                raise BadInput(f"There is no channel `{channel}`: {', '.join(CHANNELS)}.")
            found[channel] = address
        if self.company:
            for name, value in self.company.model_dump(exclude_none=True).items():
                found[f"company.{name}"] = value
        for fact in self.facts:
            found[f"fact.{fact.name}"] = fact.value
            if fact.source:
                found[f"fact.{fact.name}.source"] = fact.source
            if fact.found_on:
                found[f"fact.{fact.name}.on"] = fact.found_on.isoformat()
        return found | {f"attributes.{name}": value for name, value in self.attributes.items()}


class ProspectChange(In):
    """What to change; null forgets a value."""

    first_name: Short | None = None
    last_name: Short | None = None
    title: Short | None = None
    language: Short | None = None
    country: Short | None = None
    zone: Short | None = None
    phone: Short | None = None
    preferred_channel: Short | None = None
    attributes: dict[Name, Long] = Field(default_factory=dict, max_length=100)


class Snooze(In):
    """Nothing is sent before `until`."""

    until: When


class Stop(In):
    """Why a person's sequences end. `opt_out` is for good, and reaches every channel."""

    reason: Literal["opt_out", "by_hand"] = "by_hand"
    whole_company: bool = False


def prospect_of(row: dict[str, Any], addresses: list[dict[str, Any]]) -> Prospect:
    """A prospect from its row and its identities."""
    company = None
    if row["company_id"] is not None:
        company = Company(
            id=row["company_id"], name=row["company_name"], domain=row["company_domain"]
        )
    return Prospect.model_validate({**row, "company": company, "identities": addresses})
