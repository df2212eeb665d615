"""A CSV file of people, read in batches: bounded memory, and no byte sequence ends the run.

A record that cannot be read costs its first line only: the lines after it are read again, so that
one stray quote does not swallow the people behind it.
"""

import codecs
import csv
import io
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Self

from orchestrator.errors import BadInput
from orchestrator.rules.import_columns import BadHeader, Columns, match, sniff
from orchestrator.rules.import_rows import Canonical, PersonRow, Reject, read_row

BATCH = 2000  # rows
_LINE = 256 * 1024  # characters of one line
_RECORD = 64  # lines of one record: a quote that is open longer was never closed
_CHUNK = 1 << 20


@dataclass(slots=True)
class Batch:
    """What was read since the last one. `position` is in bytes of the file."""

    rows: list[PersonRow] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    position: int = 0


class _TooLong(ValueError):
    """A line or a record beyond what is read into memory."""


class _Lines:
    """The lines of the file, with numbers; those of a broken record can be put back."""

    def __init__(self, file: io.TextIOWrapper) -> None:
        self._file = file
        self._number = 0
        self._ahead: deque[tuple[int, str]] = deque()
        self.record: list[tuple[int, str]] = []  # lines handed out since the record began

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if len(self.record) >= _RECORD:
            raise _TooLong("a quote is opened and not closed")
        numbered = self._ahead.popleft() if self._ahead else self._read()
        self.record.append(numbered)
        if len(numbered[1]) > _LINE:
            raise _TooLong(f"is longer than {_LINE} characters")
        return numbered[1]

    def _read(self) -> tuple[int, str]:
        line = self._file.readline(_LINE + 1)
        if not line:
            raise StopIteration
        self._number += 1
        rest = line
        while len(rest) > _LINE and not rest.endswith(("\n", "\r")):
            rest = self._file.readline(_LINE + 1)  # the rest of a line that is refused anyway
        return self._number, line

    def put_back(self) -> int:
        """Give back all but the first line of the record. Returns that line's number."""
        first, *others = self.record
        self._ahead.extendleft(reversed(others))
        self.record = []
        return first[0]


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
            self._lines = _Lines(text)
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
        line, delimiter = "", None
        try:
            while not line.strip("\r\n\t ,;|"):
                line = next(self._lines)
                if line.strip().lower().startswith("sep=") and len(line.strip()) <= 5:
                    delimiter, line = line.strip("\r\n")[4:] or "\t", ""
            self._lines.record.pop()
            self._lines._ahead.appendleft((self._lines._number, line))
            self._reader = csv.reader(self._lines, delimiter=delimiter or sniff(line), strict=True)
            return match(next(self._reader), overrides)
        except StopIteration:
            raise BadInput("The file is empty: the first line must name the columns.") from None
        except (BadHeader, _TooLong, csv.Error) as error:
            raise BadInput(f"Line 1: {error}") from None

    def batches(
        self, canonical: Mapping[str, Canonical] | None = None, size: int = BATCH
    ) -> Iterator[Batch]:
        """The rows in batches of at most `size`; the last may be empty."""
        batch = Batch()
        for item in self._items(canonical):
            if isinstance(item, Reject):
                batch.rejects.append(item)
            else:
                batch.rows.append(item)
            if len(batch.rows) + len(batch.rejects) >= size:
                batch.position = self._raw.tell()
                yield batch
                batch = Batch()
        batch.position = self.size
        yield batch

    def _items(self, canonical: Mapping[str, Canonical] | None) -> Iterator[PersonRow | Reject]:
        lines = self._lines
        while True:
            lines.record = []
            try:
                cells = next(self._reader)
            except StopIteration:
                return
            except (csv.Error, _TooLong) as error:
                text = lines.record[0][1]
                yield Reject(lines.put_back(), (text[:_SHOWN],), {"": f"cannot be read: {error}"})
                continue
            item = read_row(self.columns, cells, lines.record[0][0], canonical)
            if item is not None:
                yield item


_SHOWN = 500  # characters of an unreadable line that the rejects file repeats
