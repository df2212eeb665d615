"""A block of rows, read column by column: what repeats is read once, what is plain at a glance.

It says of a row what `import_rows.read_row` says, or leaves the row to that one, which knows the
reasons: a property test holds the two together.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date

from orchestrator.rules import addresses, places
from orchestrator.rules.import_columns import CHANNELS, Columns
from orchestrator.rules.import_rows import (
    CONTROL,
    LONG,
    SHORT,
    Canonical,
    PersonRow,
    Reject,
    company_key,
    parse_date,
    read_row,
    split_name,
)
from orchestrator.rules.import_table import VALUES, FactColumn, T, Table, Texts
from orchestrator.rules.spreadsheet import original_cell


def read_table(
    columns: Columns,
    cells: Sequence[Sequence[str]],
    lines: Sequence[int],
    canonical: Mapping[str, Canonical],
) -> tuple[Table, list[PersonRow], list[Reject]]:
    """The rows of `cells`, of which `lines` are the lines: most in the table; those that needed
    `read_row`; and why others were not taken."""
    width = len(columns.fields)
    even = [n for n, row in enumerate(cells) if len(row) == width]
    whole = len(even) == len(cells)
    block = _Block(columns, cells if whole else [cells[n] for n in even], canonical)
    table = block.table(lines if whole else [lines[n] for n in even])
    doubtful = {even[n] for n in block.doubtful} | (set(range(len(cells))) - set(even))
    odd: list[PersonRow] = []
    rejects: list[Reject] = []
    for number in sorted(doubtful):
        found = read_row(columns, cells[number], lines[number], canonical)
        if isinstance(found, Reject):
            rejects.append(found)
        elif found is not None:
            odd.append(found)
    return table, odd, rejects


class _Block:
    """Rows of equal width. `doubtful` are the numbers of those that need a closer look."""

    def __init__(
        self,
        columns: Columns,
        cells: Sequence[Sequence[str]],
        canonical: Mapping[str, Canonical],
    ) -> None:
        self.doubtful: set[int] = set()
        self._count = len(cells)
        self._canonical = canonical
        self._raw = [list(column) for column in zip(*cells, strict=True)]
        if columns.mended:
            self._raw = [list(map(original_cell, column)) for column in self._raw]
        self._cells = {
            name: self._strip(name, column)
            for name, column in zip(columns.fields, self._raw, strict=False)
            if name is not None
        }

    def _strip(self, name: str, column: Sequence[str]) -> list[str]:
        """The cells without spaces around them; what is wrong with any field is doubtful."""
        values = list(map(str.strip, column))
        long = name.startswith(("fact.", "attributes."))
        limit = LONG if long else SHORT
        if name not in CHANNELS and max(map(len, values)) > limit:
            self._doubt(values, lambda value: len(value) > limit)
        text = "".join(values)
        if "\0" in text:
            self._doubt(values, lambda value: "\0" in value)
        if not long and not text.isprintable():
            self._doubt(values, lambda value: CONTROL.search(value) is not None)
        return values

    def _doubt(self, column: Sequence[T], wrong: Callable[[T], bool]) -> None:
        self.doubtful.update(n for n, value in enumerate(column) if wrong(value))

    def table(self, lines: Sequence[int]) -> Table:
        """The rows that are plain."""
        if not self._count:
            return Table()
        channels = {channel: self._channel(channel) for channel in CHANNELS if self._has(channel)}
        found = list(zip(*channels.values(), strict=True))
        if not all(map(any, found)):
            self._doubt(found, lambda addresses: not any(addresses))
        values = {name: column for name in VALUES if (column := self._value(name)) is not None}
        self._split_names(values)
        keys, names, domains = self._companies(channels.get("email"))
        table = Table(
            lines=list(lines),
            cells=self._raw,
            channels=channels,
            values=values,
            company_keys=keys,
            company_names=names,
            company_domains=domains,
            company_countries=self._each("company.country", places.country),
            company_stated=self._stated(),
            facts=list(self._facts()),
            attributes={
                name.partition(".")[2]: column
                for name, column in self._cells.items()
                if name.startswith("attributes.")
            },
        )
        return table.only([n not in self.doubtful for n in range(self._count)])

    def _has(self, name: str) -> bool:
        return name in self._cells

    def _column(self, name: str) -> list[str]:
        return self._cells.get(name) or [""] * self._count

    def _each(self, name: str, read: Callable[[str], T]) -> list[T | None]:
        """The cells of a column as `read` has them, each spelling read once."""
        if not self._has(name):
            return [None] * self._count
        column = self._cells[name]
        found: dict[str, T | None] = {"": None}
        wrong = set()
        for value in set(column) - {""}:
            try:
                found[value] = read(value)
            except ValueError:
                wrong.add(value)
        if wrong:
            self._doubt(column, wrong.__contains__)
        return [found.get(value) for value in column]

    def _channel(self, channel: str) -> Texts:
        column = self._cells[channel]
        if channel != "email" or channel in self._canonical:
            fallback = addresses.email if channel == "email" else addresses.handle
            return self._each(channel, self._canonical.get(channel, fallback))
        found = addresses.plain_emails(column)
        if None in found:
            self._doubt(
                list(zip(column, found, strict=True)), lambda pair: pair[0] != "" and not pair[1]
            )
        return found

    def _value(self, name: str) -> Texts | None:
        """The column of one of VALUES; None when there is none."""
        if not self._has(name):
            return None
        if name == "phone":
            return self._phones()
        read = _PLACES.get(name)
        if read is not None:
            return self._each(name, read)
        return [value or None for value in self._cells[name]]

    def _phones(self) -> Texts:
        found: Texts = []
        countries = self._each("country", places.country)
        for number, (text, country) in enumerate(zip(self._cells["phone"], countries, strict=True)):
            try:
                found.append(addresses.phone(text, country) if text else None)
            except ValueError:
                self.doubtful.add(number)
                found.append(None)
        return found

    def _split_names(self, values: dict[str, Texts]) -> None:
        if not self._has("name"):
            return
        first = values.setdefault("first_name", [None] * self._count)
        last = values.setdefault("last_name", [None] * self._count)
        for number, name in enumerate(self._cells["name"]):
            if name and first[number] is None and last[number] is None:
                first[number], last[number] = split_name(name)

    def _companies(self, emails: Texts | None) -> tuple[Texts, Texts, Texts]:
        """Keys, names and domains."""
        domains = self._each("company.domain", addresses.domain)
        if emails is not None:
            mine = [None if one is None else one.rpartition("@")[2] for one in emails]
            work = {one: None if addresses.is_freemail(one) else one for one in set(mine) if one}
            domains = [
                work.get(own) if stated is None and own is not None else stated
                for stated, own in zip(domains, mine, strict=True)
            ]
        names: Texts = [
            name or domain
            for name, domain in zip(self._column("company.name"), domains, strict=True)
        ]
        keys = [
            domain or company_key(name, None) for name, domain in zip(names, domains, strict=True)
        ]
        return keys, names, domains

    def _stated(self) -> list[bool]:
        stated = zip(self._column("company.name"), self._column("company.domain"), strict=True)
        return [name != "" or domain != "" for name, domain in stated]

    def _facts(self) -> Iterator[FactColumn]:
        for field, column in self._cells.items():
            kind, _, name = field.partition(".")
            if kind != "fact" or "." in name:
                continue
            sources: Texts = [source or None for source in self._column(f"{field}.source")]
            yield FactColumn(name, column, sources, self._dates(field, column))

    def _dates(self, field: str, column: Sequence[str]) -> list[date | None]:
        """When each fact was found. A date without a fact says nothing, and nobody reads it."""
        if not self._has(f"{field}.on"):
            return [None] * self._count
        before = set(self.doubtful)
        found = self._each(f"{field}.on", parse_date)
        self.doubtful = before | {n for n in self.doubtful - before if column[n]}
        return found


_PLACES = {"language": places.language, "country": places.country, "zone": places.zone}
