"""A CSV file of people, read in batches: bounded memory, and no byte sequence ends the run.

A record that cannot be read costs its first line only: the lines after it are read again, so that
one stray quote does not swallow the people behind it.
"""

import codecs
import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Self

from orchestrator.errors import BadInput
from orchestrator.people_lines import LINE, Lines, TooLong
from orchestrator.rules.import_columns import BadHeader, Columns, match, sniff
from orchestrator.rules.import_read import read_table
from orchestrator.rules.import_rows import Canonical, PersonRow, Reject
from orchestrator.rules.import_table import Table

BATCH = 8_000  # rows: a transaction of a quarter of a second
_BLOCK = 500  # rows read at once: their cells stay in a core's cache, which halves the time
_CHUNK = 1 << 20


@dataclass(slots=True)
class Batch:
    """What was read since the last one: rows in columns, rows that needed a closer look, and what
    is no row. `position` is in bytes of the file."""

    table: Table = field(default_factory=Table)
    odd: list[PersonRow] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    position: int = 0

    def rows(self) -> list[PersonRow]:
        """Everybody, in the order of the file."""
        table = self.table
        rows = [table.row(index) for index in range(len(table.lines))] + self.odd
        return sorted(rows, key=lambda one: one.line)


class PeopleFile:
    """An open file of people: its `columns`, `notices` for the operator, and its batches."""

    def __init__(self, path: Path, overrides: Mapping[str, str]) -> None:
        """Raises BadInput when the file or its header cannot be read."""
        self.notices: list[str] = []
        self._raw: BinaryIO = path.open("rb")
        self.size = path.stat().st_size
        try:
            encoding = self._encoding()
            text = io.TextIOWrapper(self._raw, encoding, errors="replace", newline="")
            self._lines = Lines(text)
            self.columns = self._header(overrides)
        except BaseException:
            self._raw.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._raw.close()

    def _encoding(self) -> str:
        start = self._raw.read(4)
        if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            self._raw.seek(0)
            return "utf-16"
        self._raw.seek(0)
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            while chunk := self._raw.read(_CHUNK):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            self.notices.append(
                "The file is not UTF-8; it was read as Windows-1252 (as older Excel writes it)."
            )
            return "cp1252"
        finally:
            self._raw.seek(0)
        return "utf-8-sig"

    def _header(self, overrides: Mapping[str, str]) -> Columns:
        lines, line, delimiter = self._lines, "", None
        try:
            while True:
                if not lines.ahead and not lines.fill():
                    raise BadInput("The file is empty: the first line must name the columns.")
                line = lines.ahead[0]
                if line.strip().lower().startswith("sep=") and len(line.strip()) <= 5:
                    delimiter, line = line.strip("\r\n")[4:] or "\t", ""
                if line.strip("\r\n\t ,;|"):
                    break
                lines.drop(1)
            self._delimiter = delimiter or sniff(line[:LINE])
            return match(lines.record(self._delimiter), overrides)
        except (BadHeader, TooLong, csv.Error) as error:
            raise BadInput(f"Line 1: {error}") from None

    def batches(
        self, canonical: Mapping[str, Canonical] | None = None, size: int = BATCH
    ) -> Iterator[Batch]:
        """The rows in batches of at most `size`; the last may be empty."""
        more = True
        while more:
            batch = Batch()
            for start in range(0, size, _BLOCK):
                more = self._block(batch, min(_BLOCK, size - start), canonical or {})
                if not more:
                    break
            batch.rejects.sort(key=lambda one: one.line)
            batch.position = self._raw.tell() if more else self.size
            yield batch

    def _block(self, batch: Batch, size: int, canonical: Mapping[str, Canonical]) -> bool:
        """Read `size` records into the batch. False at the end of the file."""
        more, cells, numbers, broken = self._records(size)
        table, odd, rejects = read_table(self.columns, cells, numbers, canonical)
        if not batch.table.lines:
            batch.table = table
        elif table.lines:
            batch.table.extend(table)
        batch.odd += odd
        batch.rejects += broken + rejects
        return more

    def _records(self, size: int) -> tuple[bool, list[list[str]], list[int], list[Reject]]:
        """The next records and their lines, and what is none; first, whether there may be more."""
        lines = self._lines
        cells: list[list[str]] = []
        numbers: list[int] = []
        broken: list[Reject] = []
        while (room := size - len(cells) - len(broken)) > 0:
            if not lines.ahead and not lines.fill():
                return False, cells, numbers, broken
            if error := lines.records(self._delimiter, room, cells, numbers):
                shown = (lines.ahead[0][:_SHOWN],)
                broken.append(Reject(lines.number, shown, {"": f"cannot be read: {error}"}))
                lines.drop(1)
        return True, cells, numbers, broken


_SHOWN = 500  # characters of an unreadable line that the rejects file repeats
