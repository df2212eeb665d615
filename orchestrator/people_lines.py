"""The lines of a text file, read ahead a chunk at a time; what was not used is read again."""

import csv
import io
from collections.abc import Iterator
from itertools import islice

LINE = 256 * 1024  # characters of one line
RECORD = 64  # lines of one record: a quote that is open longer was never closed
_CHUNK = 1 << 20  # characters


class TooLong(ValueError):
    """A line or a record beyond what is read into memory."""


class Lines:
    """Lines `number`, `number` + 1 ... of a file that keeps its line ends (`newline=""`)."""

    def __init__(self, file: io.TextIOWrapper) -> None:
        self._file = file
        self.ahead: list[str] = []
        self.number = 1  # of ahead[0]
        self._long = False  # whether a line of `ahead` is too long

    def fill(self) -> bool:
        """Read a chunk more, to the end of a line. False at the end of the file."""
        text = self._file.read(_CHUNK)
        if not text:
            return False
        if not text.endswith("\n"):
            text += self._rest_of_line()
        read = list(io.StringIO(text, newline=""))
        self._long = (self._long and bool(self.ahead)) or max(map(len, read)) > LINE
        self.ahead += read
        return True

    def _rest_of_line(self) -> str:
        first = rest = self._file.readline(LINE + 1)
        while len(rest) > LINE and not rest.endswith(("\n", "\r")):
            rest = self._file.readline(LINE + 1)  # of a line that is refused anyway
        return first

    def drop(self, count: int) -> None:
        """These were used."""
        del self.ahead[:count]
        self.number += count

    def records(
        self, delimiter: str, most: int, cells: list[list[str]], numbers: list[int]
    ) -> Exception | None:
        """Read at most `most` records of what is ahead into `cells`, and the number of the first
        line of each into `numbers`. Returns what is wrong with the next one, if that ended it."""
        if not self._long:
            used, clean = self._quick(delimiter, most, cells, numbers)
            self.drop(used)
            if clean:
                return None
        try:
            numbered = self.number
            cells.append(self.record(delimiter))
            numbers.append(numbered)
        except (csv.Error, TooLong) as error:
            return error
        return None

    def _quick(
        self, delimiter: str, most: int, cells: list[list[str]], numbers: list[int]
    ) -> tuple[int, bool]:
        """All records by one reader. How many lines they used; False when the next is odd, if only
        because it goes on behind the chunk."""
        reader = csv.reader(self.ahead, delimiter=delimiter, strict=True)
        used, first = 0, self.number
        try:
            for record in islice(reader, most):
                end = reader.line_num
                if end - used > RECORD:
                    return used, False
                cells.append(record)
                numbers.append(first + used)
                used = end
        except csv.Error:
            return used, False
        return used, True

    def record(self, delimiter: str) -> list[str]:
        """The one record at ahead[0], which is there. Uses nothing when it raises csv.Error or
        TooLong."""
        used = 0

        def lines() -> Iterator[str]:
            nonlocal used
            while used < len(self.ahead) or self.fill():
                if used >= RECORD:
                    raise TooLong("a quote is opened and not closed")
                if len(self.ahead[used]) > LINE:
                    raise TooLong(f"is longer than {LINE} characters")
                used += 1
                yield self.ahead[used - 1]

        found = next(csv.reader(lines(), delimiter=delimiter, strict=True))
        self.drop(used)
        return found
