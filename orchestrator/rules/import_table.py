"""Rows of a file of people as columns: what an import handles without an object for each row."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import compress
from json.encoder import encode_basestring
from typing import Any, TypeVar

from orchestrator.rules.import_rows import FactRow, PersonRow

T = TypeVar("T")
Texts = list[str | None]
VALUES = ("first_name", "last_name", "title", "language", "country", "zone", "phone")


@dataclass(slots=True)
class FactColumn:
    """The cells of one fact: value ("" for none), source and date, row by row."""

    name: str
    values: list[str]
    sources: Texts
    dates: list[date | None]


@dataclass(slots=True)
class Table:
    """Rows that were understood, a list a column; item n of every list is of row n."""

    lines: list[int] = field(default_factory=list)
    cells: list[list[str]] = field(default_factory=list)  # every column, as it came
    channels: dict[str, Texts] = field(default_factory=dict)  # canonical addresses
    values: dict[str, Texts] = field(default_factory=dict)  # of VALUES, those that have a column
    company_keys: Texts = field(default_factory=list)
    company_names: Texts = field(default_factory=list)
    company_domains: Texts = field(default_factory=list)
    company_countries: Texts = field(default_factory=list)
    company_stated: list[bool] = field(default_factory=list)
    facts: list[FactColumn] = field(default_factory=list)
    attributes: dict[str, list[str]] = field(default_factory=dict)  # "" for none

    def row(self, index: int) -> PersonRow:
        """One row of it."""
        return PersonRow(
            line=self.lines[index],
            identities=tuple(
                (channel, found)
                for channel, column in self.channels.items()
                if (found := column[index]) is not None
            ),
            **{name: column[index] for name, column in self.values.items()},
            company_key=self.company_keys[index],
            company_name=self.company_names[index],
            company_domain=self.company_domains[index],
            company_country=self.company_countries[index],
            company_stated=self.company_stated[index],
            facts=tuple(
                FactRow(one.name, one.values[index], one.sources[index], one.dates[index])
                for one in self.facts
                if one.values[index]
            ),
            attributes={
                name: column[index] for name, column in self.attributes.items() if column[index]
            },
            cells=tuple(column[index] for column in self.cells),
        )

    def only(self, keep: Sequence[bool]) -> "Table":
        """The rows for which `keep` is true."""
        if all(keep):
            return self

        few = [n for n, kept in enumerate(keep) if kept] if sum(keep) * 8 < len(keep) else None

        def cut(column: Sequence[T]) -> list[T]:
            return list(compress(column, keep)) if few is None else [column[n] for n in few]

        return Table(
            cut(self.lines),
            [cut(column) for column in self.cells],
            {name: cut(column) for name, column in self.channels.items()},
            {name: cut(column) for name, column in self.values.items()},
            cut(self.company_keys),
            cut(self.company_names),
            cut(self.company_domains),
            cut(self.company_countries),
            cut(self.company_stated),
            [
                FactColumn(one.name, cut(one.values), cut(one.sources), cut(one.dates))
                for one in self.facts
            ],
            {name: cut(column) for name, column in self.attributes.items()},
        )

    def extend(self, other: "Table") -> None:
        """Append the rows of `other`, which has the same columns."""
        for mine, theirs in zip(self._columns(), other._columns(), strict=True):
            mine += theirs

    def _columns(self) -> list[list[Any]]:
        return [
            self.lines,
            *self.cells,
            *self.channels.values(),
            *self.values.values(),
            self.company_keys,
            self.company_names,
            self.company_domains,
            self.company_countries,
            self.company_stated,
            *(column for one in self.facts for column in (one.values, one.sources, one.dates)),
            *self.attributes.values(),
        ]

    def json_attributes(self) -> list[str]:
        """The attributes of each row as a JSON object."""
        columns = []
        for name, column in self.attributes.items():
            key = encode_basestring(name) + ":"
            columns.append([key + encode_basestring(cell) if cell else "" for cell in column])
        if not columns:
            return ["{}"] * len(self.lines)
        return ["{" + ",".join(filter(None, pairs)) + "}" for pairs in zip(*columns, strict=True)]
