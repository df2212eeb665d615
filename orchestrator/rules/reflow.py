"""Text that was wrapped for mail, for a page that wraps by itself."""

import re
from itertools import pairwise

_FULL_LINE = 60  # characters: a line this long was broken for its width, not for its meaning
_LIST = re.compile(r"\s|[-*•–>]|\d+[.)]|https?://")


def reflow(text: str) -> str:
    """Join lines that were broken only for their width. Short lines, lists, quotes, addresses and
    blank lines stay where they are; `\\r\\n` becomes `\\n`."""
    lines = text.strip().replace("\r\n", "\n").split("\n")
    joined = lines[:1]
    for before, line in pairwise(lines):
        # The word that came next would not have fitted before the break.
        width = len(before) + 1 + len(line.split(" ", 1)[0])
        if len(before) >= _FULL_LINE and width > 72 and line and not _LIST.match(line):
            joined[-1] += " " + line
        else:
            joined.append(line)
    return "\n".join(joined)
