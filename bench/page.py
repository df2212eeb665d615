"""Writes what is generated of `docs/performance.md` between its markers."""

from pathlib import Path

from bench import plots, report


def put_in(page: str, block: str, words: str) -> str:
    """`page` with what stands between the markers of `block` replaced.

    Raises ValueError when a marker is missing.
    """
    begin, end = f"<!-- bench:{block}:begin -->", f"<!-- bench:{block}:end -->"
    head, found, rest = page.partition(begin)
    _, closed, tail = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"the page lacks {begin} or {end}")
    return f"{head}{begin}\n\n{words}\n\n{end}{tail}"


def write(file: Path, data: report.Data) -> None:
    """Every block of `file` anew, and the pictures in a folder of its name beside it."""
    words = file.read_text()
    for block, make in report.BLOCKS.items():
        words = put_in(words, block, make(data))
    file.write_text(words)
    plots.write(file.with_suffix(""), data)
