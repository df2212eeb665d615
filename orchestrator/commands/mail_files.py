"""The mails in files, mboxes, directories and stdin, as `avtale mail read` takes them."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

_MOST_BYTES = 64 * 1024 * 1024  # of one file; a mailbox is handed over in pieces
# A mailbox (RFC 4155): a `From ` line with a year, then a field; a second one makes it a mailbox.
_FROM = re.compile(
    rb"(?m)^From [^\n]{1,300}\d{4}[^\n]{0,40}\r?\n"
    rb"(?=[A-Za-z][A-Za-z0-9-]{0,60}:)"
)


def mails(files: Iterable[Path], stdin: IO[bytes]) -> Iterator[tuple[str, bytes | str]]:
    """Each mail, named by where it stands; text instead of bytes is why it cannot be read."""
    for file in files:
        if str(file) == "-":
            yield from _each("-", stdin.read(_MOST_BYTES))
            continue
        try:
            found = (
                sorted(one for one in file.rglob("*") if one.is_file()) if file.is_dir() else [file]
            )
        except OSError as error:
            yield str(file), str(error.strerror)
            continue
        for one in found:
            try:
                with one.open("rb") as opened:
                    raw = opened.read(_MOST_BYTES)
            except OSError as error:
                yield str(one), str(error.strerror)
            else:
                yield from _each(str(one), raw)


def _each(name: str, raw: bytes) -> Iterator[tuple[str, bytes]]:
    """One mail, or those of a mailbox, numbered from 1."""
    starts = [found.start() for found in _FROM.finditer(raw)] if raw.startswith(b"From ") else []
    if len(starts) < 2:
        yield name, raw
        return
    for number, (start, end) in enumerate(zip(starts, [*starts[1:], len(raw)], strict=True), 1):
        yield f"{name}#{number}", re.sub(rb"(?m)^>(>*From )", rb"\1", raw[start:end])
