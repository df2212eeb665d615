"""Rows -> people, where several rows share one: who each is about, and what it adds.

Rows are taken in the order of the file. A row is about the prospect who has its first known address
(in the order of the registry, email first); else about a new one. A cell with a value replaces what
was there, an empty cell leaves it. Cut into batches anywhere, the file comes to the same people.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from orchestrator.rules.import_rows import FactRow, PersonRow
from orchestrator.rules.import_table import VALUES

Address = tuple[str, str]  # channel, canonical address


@dataclass(frozen=True, slots=True)
class CompanyRow:
    """A company as a row names it. `key` is what the rows of one company share."""

    key: str
    name: str
    domain: str | None
    country: str | None


@dataclass(slots=True)
class Merged:
    """What the rows of one batch say of one person. `owner` None: nobody had these addresses."""

    owner: UUID | None
    line: int  # of the first row
    rows: int = 0
    identities: list[Address] = field(default_factory=list)  # to be added
    values: dict[str, str] = field(default_factory=dict)
    company: CompanyRow | None = None
    company_stated: bool = False
    companies: list[tuple[int, CompanyRow]] = field(default_factory=list)  # with lines
    facts: dict[FactRow, int] = field(default_factory=dict)  # -> line
    attributes: dict[str, str] = field(default_factory=dict)


def merge(rows: Iterable[PersonRow], owners: Mapping[Address, UUID]) -> list[Merged]:
    """The people of `rows`, in the order in which they first appear."""
    people: list[Merged] = []
    by_address: dict[Address, Merged] = {}
    by_owner: dict[UUID, Merged] = {}
    for row in rows:
        person = _find(row, owners, by_address, by_owner)
        if person is None:
            person = Merged(None, row.line)
            people.append(person)
        elif person.rows == 0:
            people.append(person)
        for address in row.identities:
            if address not in owners and address not in by_address:
                by_address[address] = person
                person.identities.append(address)
        _add(person, row)
    return people


def _find(
    row: PersonRow,
    owners: Mapping[Address, UUID],
    by_address: Mapping[Address, Merged],
    by_owner: dict[UUID, Merged],
) -> Merged | None:
    for address in row.identities:
        if address in by_address:
            return by_address[address]
        if (owner := owners.get(address)) is not None:
            return by_owner.setdefault(owner, Merged(owner, row.line))
    return None


def _add(person: Merged, row: PersonRow) -> None:
    person.rows += 1
    for name in VALUES:
        value = getattr(row, name)
        if value is not None:
            person.values[name] = value
    if row.company_key and (row.company_stated or person.company is None):
        person.company = CompanyRow(
            row.company_key, row.company_name or row.company_key, row.company_domain,
            row.company_country,
        )  # fmt: skip
        person.company_stated = row.company_stated
        person.companies.append((row.line, person.company))
    for fact in row.facts:
        person.facts.setdefault(fact, row.line)
    person.attributes.update(row.attributes)
