"""Which rows of a batch stand alone, which share a person, and which are about who said no.

A row stands alone when no other row of the batch can be about its person: then it is written as it
stands, column by column. What is left goes through `import_merge`.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from orchestrator.rules.import_merge import Address, CompanyRow, Merged, merge
from orchestrator.rules.import_rows import PersonRow, Reject
from orchestrator.rules.import_table import Table

OPTED_OUT = "this person opted out; nothing was changed"


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose an address is."""

    owner: UUID
    employed: bool  # has a company
    opted_out: bool


Known = Mapping[str, Mapping[str, Holder]]  # channel -> address -> holder
Refused = Mapping[str, set[str]]  # channel -> addresses of who said no


@dataclass(slots=True)
class People:
    """The people of a batch: rows that stand alone with their owners (None: nobody has these
    addresses yet), and those that several rows are about."""

    table: Table
    owners: list[UUID | None]
    merged: list[Merged]

    @property
    def rows(self) -> int:
        """How many rows they are from."""
        return len(self.owners) + sum(one.rows for one in self.merged)

    def slices(self, count: int) -> list["People"]:
        """The same people in `count` parts of about one size."""
        made = []
        for part in range(count):
            inside = [n * count // len(self.owners) == part for n in range(len(self.owners))]
            owners = [one for one, ours in zip(self.owners, inside, strict=True) if ours]
            made.append(People(self.table.only(inside), owners, self.merged[part::count]))
        return made


def without(
    table: Table, odd: Sequence[PersonRow], refused: Refused
) -> tuple[Table, list[PersonRow], list[Reject]]:
    """The rows of who did not say no, and the others as rejects."""
    if not any(refused.values()):
        return table, list(odd), []
    keep = [True] * len(table.lines)
    for channel, column in table.channels.items():
        no = refused.get(channel, set())
        keep = [kept and one not in no for kept, one in zip(keep, column, strict=True)]
    out = [table.row(n) for n, kept in enumerate(keep) if not kept]
    willing: list[PersonRow] = []
    for row in odd:
        (out if _no(row, refused) else willing).append(row)
    rejects = [Reject(row.line, row.cells, {_no(row, refused) or "": OPTED_OUT}) for row in out]
    return table.only(keep), willing, rejects


def _no(row: PersonRow, refused: Refused) -> str | None:
    """The channel of the first address whose holder said no."""
    for channel, address in row.identities:
        if address in refused.get(channel, ()):
            return channel
    return None


def people_of(table: Table, odd: Sequence[PersonRow], known: Known) -> People:
    """Who the rows are about."""
    owners = _owners(table, known)
    alone = _alone(table, odd, owners, known)
    if all(alone) and not odd:
        return People(table, owners, [])
    rest = [table.row(n) for n, one in enumerate(alone) if not one] + list(odd)
    holders: dict[Address, UUID] = {}
    for row in rest:
        for channel, address in row.identities:
            if holder := known.get(channel, {}).get(address):
                holders[channel, address] = holder.owner
    return People(
        table.only(alone),
        [owner for owner, one in zip(owners, alone, strict=True) if one],
        merge(sorted(rest, key=lambda row: row.line), holders),
    )


def _owners(table: Table, known: Known) -> list[UUID | None]:
    """Who has the first known address of each row."""
    owners: list[UUID | None] = [None] * len(table.lines)
    for channel, column in table.channels.items():
        holders = known.get(channel)
        if not holders:
            continue
        for number, address in enumerate(column):
            if address is not None and owners[number] is None and address in holders:
                owners[number] = holders[address].owner
    return owners


def _alone(
    table: Table, odd: Sequence[PersonRow], owners: Sequence[UUID | None], known: Known
) -> list[bool]:
    alone = [True] * len(table.lines)
    counted = Counter(owners)
    of_odd: dict[str, list[str]] = {}
    for row in odd:
        first = None
        for channel, address in row.identities:
            of_odd.setdefault(channel, []).append(address)
            holder = known.get(channel, {}).get(address)
            first = first or (holder.owner if holder else None)
        counted[first] += 1
    _strike(alone, owners, counted)
    for channel, column in table.channels.items():
        _strike(alone, column, Counter(column) + Counter(of_odd.get(channel, ())))
    return alone


def _strike(alone: list[bool], column: Sequence[object], counted: Counter[Any]) -> None:
    """Take out the rows whose value another row has too."""
    shared = {value for value, times in counted.items() if times > 1 and value is not None}
    if shared:
        for number, value in enumerate(column):
            if value in shared:
                alone[number] = False


def companies_of(people: People, employed: set[UUID]) -> dict[str, CompanyRow]:
    """The companies that the people name, by key, as the first row that says more than a domain has
    them. Who has a company keeps it, unless a column states another."""
    wanted: dict[str, CompanyRow] = {}
    for row in _named(people, employed):
        old = wanted.setdefault(row.key, row)
        if old.name == old.domain or (old.country is None and row.country):
            wanted[row.key] = CompanyRow(
                row.key,
                row.name if old.name == old.domain else old.name,
                old.domain,
                old.country or row.country,
            )
    return wanted


def _named(people: People, employed: set[UUID]) -> Iterable[CompanyRow]:
    """Each company as some row has it, once, in the order of the first of these rows."""
    table = people.table
    said = zip(
        table.company_keys, table.company_names, table.company_domains, table.company_countries,
        strict=True,
    )  # fmt: skip
    first: dict[tuple[str | None, ...], int] = {}
    for words, line, owner, stated in zip(
        said, table.lines, people.owners, table.company_stated, strict=True
    ):
        if words not in first and (stated or owner is None or owner not in employed):
            first[words] = line
    for one in people.merged:
        if one.company_stated or one.owner not in employed:
            for line, row in one.companies:
                words = (row.key, row.name, row.domain, row.country)
                first[words] = min(first.get(words, line), line)
    for key, name, domain, country in sorted(first, key=first.__getitem__):
        if key:
            yield CompanyRow(key, name or key, domain, country)
