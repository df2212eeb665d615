"""One row of a file of people: read into a PersonRow, or refused with a reason per column.

A row is taken whole or not at all: half a person would be a person with a wrong language or zone.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from orchestrator.rules import addresses, places
from orchestrator.rules.import_columns import CHANNELS, Columns
from orchestrator.rules.spreadsheet import original_cell

SHORT, LONG = 200, 4000  # characters of a name, of a fact or an attribute

Canonical = Callable[[str], str]
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff]")
_NORDIC = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})", re.ASCII)
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


@dataclass(frozen=True, slots=True)
class FactRow:
    """One fact of research with its source and date."""

    name: str
    value: str
    source: str | None = None
    found_on: date | None = None


@dataclass(frozen=True, slots=True)
class PersonRow:
    """A row that was understood. Empty cells are None (or absent): they say nothing."""

    line: int
    identities: tuple[tuple[str, str], ...]  # (channel, canonical address), email first
    first_name: str | None = None
    last_name: str | None = None
    title: str | None = None
    language: str | None = None
    country: str | None = None
    zone: str | None = None
    phone: str | None = None
    company_key: str | None = None
    company_name: str | None = None
    company_domain: str | None = None
    company_country: str | None = None
    company_stated: bool = False  # by a column, not only by the domain of the address
    facts: tuple[FactRow, ...] = ()
    attributes: Mapping[str, str] = field(default_factory=dict)
    cells: tuple[str, ...] = field(default=(), compare=False, repr=False)  # as they came


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that was not taken: its cells as they came, and why, per column ("" for the row)."""

    line: int
    cells: tuple[str, ...]
    reasons: Mapping[str, str]

    def why(self) -> str:
        """The reasons in one line."""
        return "; ".join(
            f"{column}: {reason}" if column else reason for column, reason in self.reasons.items()
        )


def parse_date(text: str) -> date:
    """An ISO date or dd.mm.yyyy. Raises ValueError."""
    stripped = text.strip()
    nordic = _NORDIC.fullmatch(stripped)
    try:
        if nordic:
            day, month, year = map(int, nordic.groups())
            return date(year, month, day)
        if _ISO.fullmatch(stripped):
            return date.fromisoformat(stripped)
    except ValueError:
        pass
    raise ValueError(f"`{text[:40]}` is no date: write 2026-03-31 or 31.03.2026")


def read_row(
    columns: Columns,
    cells: Sequence[str],
    line: int,
    canonical: Mapping[str, Canonical] | None = None,
) -> PersonRow | Reject | None:
    """The row's person, or why not; None for a row without a single value.

    `canonical` has the spelling of an address per channel that is installed; a channel that it
    lacks takes any single word.
    """
    if not any(cells):
        return None
    width = len(columns.fields)
    if len(cells) != width:
        cells = _without_empty_tail(cells, width)
        if len(cells) != width:
            ragged = f"has {len(cells)} cells where the header has {width}"
            return Reject(line, tuple(cells), {"": ragged})
    if columns.mended:
        cells = [original_cell(cell) for cell in cells]
    values, faults = _values(columns, cells)
    row = _Reader(values, faults, canonical or {}).person(line, tuple(cells))
    if faults:
        return Reject(line, tuple(cells), {columns.of(name): why for name, why in faults.items()})
    return row


def _without_empty_tail(cells: Sequence[str], width: int) -> Sequence[str]:
    return cells[:width] if not any(cell.strip() for cell in cells[width:]) else cells


def _values(columns: Columns, cells: Sequence[str]) -> tuple[dict[str, str], dict[str, str]]:
    """The non-empty cells by field, and what is wrong with any cell whatever its field."""
    values: dict[str, str] = {}
    faults: dict[str, str] = {}
    for name, cell in zip(columns.fields, cells, strict=True):
        value = cell.strip()
        if name is None or not value:
            continue
        long = name.startswith(("fact.", "attributes."))
        if len(value) > (LONG if long else SHORT) and name not in CHANNELS:
            faults[name] = f"is longer than {LONG if long else SHORT} characters"
        elif "\0" in value:
            faults[name] = "contains a NUL byte"
        elif not long and not value.isprintable() and CONTROL.search(value):
            faults[name] = "contains a line break or another control character"
        else:
            values[name] = value
    return values, faults


class _Reader:
    """Reads one row's values; what cannot be read goes to `faults` under the field's name."""

    def __init__(
        self, values: dict[str, str], faults: dict[str, str], canonical: Mapping[str, Canonical]
    ) -> None:
        self.values = values
        self.faults = faults
        self.canonical = canonical

    def _read(self, name: str, read: Callable[[str], str]) -> str | None:
        value = self.values.get(name)
        if value is None:
            return None
        try:
            return read(value)
        except ValueError as error:
            self.faults[name] = str(error)
            return None

    def person(self, line: int, cells: tuple[str, ...]) -> PersonRow:
        """The row; only good when `faults` is still empty."""
        identities = self._identities()
        first, last = self._names()
        country = self._read("country", places.country)
        domain = self._read("company.domain", addresses.domain)
        email = next((address for channel, address in identities if channel == "email"), None)
        if domain is None and email is not None:
            domain = addresses.company_domain(email)
        name = self.values.get("company.name") or domain
        return PersonRow(
            line=line,
            identities=identities,
            first_name=first,
            last_name=last,
            title=self.values.get("title"),
            language=self._read("language", places.language),
            country=country,
            zone=self._read("zone", places.zone),
            phone=self._read("phone", lambda text: addresses.phone(text, country)),
            company_key=company_key(name, domain),
            company_name=name,
            company_domain=domain,
            company_country=self._read("company.country", places.country),
            company_stated="company.name" in self.values or "company.domain" in self.values,
            facts=self._facts() if self._has("fact.") else (),
            attributes={
                column.partition(".")[2]: value
                for column, value in self.values.items()
                if column.startswith("attributes.")
            },
            cells=cells,
        )

    def _has(self, prefix: str) -> bool:
        return any(name.startswith(prefix) for name in self.values)

    def _identities(self) -> tuple[tuple[str, str], ...]:
        found = []
        for channel in CHANNELS:
            fallback = addresses.email if channel == "email" else addresses.handle
            address = self._read(channel, self.canonical.get(channel, fallback))
            if address is not None:
                found.append((channel, address))
        if not found and not any(channel in self.faults for channel in CHANNELS):
            self.faults["email"] = "is empty: a person needs an address"
        return tuple(found)

    def _names(self) -> tuple[str | None, str | None]:
        first, last = self.values.get("first_name"), self.values.get("last_name")
        if first is None and last is None and "name" in self.values:
            return split_name(self.values["name"])
        return first, last

    def _facts(self) -> tuple[FactRow, ...]:
        found = []
        for column, value in self.values.items():
            kind, _, name = column.partition(".")
            if kind != "fact" or "." in name:
                continue
            source, found_on = self.values.get(f"{column}.source"), None
            if f"{column}.on" in self.values:
                try:
                    found_on = parse_date(self.values[f"{column}.on"])
                except ValueError as error:
                    self.faults[f"{column}.on"] = str(error)
            found.append(FactRow(name, value, source, found_on))
        return tuple(found)


def split_name(text: str) -> tuple[str, str | None]:
    """First and last name of a full one, which is not empty: it is split at its last space."""
    words = text.split()
    return " ".join(words[:-1]) or words[0], words[-1] if len(words) > 1 else None


def company_key(name: str | None, domain: str | None) -> str | None:
    """What the rows of one company share: its domain, else its name with case and space folded."""
    if domain:
        return domain
    return " ".join(name.casefold().split()) if name else None
