"""How well the person's words are found: `python -m tests.corpus.replies` prints a table.

Of each mail of `../shared/corpora/replies`: it *leaks* when a line of `elided/`, or six letters and
more of one, shows as a line of what was read, and it *loses* when a line of `trimmed/` that has a
word in it is missing. Lines are compared by their letters and digits. Lines that `trimmed/` marks
with `>` are not the person's words, though that corpus keeps some of them as context; how many
mails lack one of those is counted apart.
"""

import re
import sys
from dataclasses import dataclass
from pathlib import Path

from orchestrator.rules.mail.quotes import written

CORPUS = Path(__file__).parents[3] / "shared" / "corpora" / "replies"


@dataclass(frozen=True, slots=True)
class Scored:
    """One mail: the lines that leaked, those that were lost, and the quoted ones left out."""

    name: str
    leaked: tuple[str, ...]
    lost: tuple[str, ...]
    context: tuple[str, ...]
    exact: bool


def score(name: str) -> Scored:
    """Read the mail `name` of the corpus and compare."""
    mail, trimmed, elided = (
        (CORPUS / folder / name).read_text("utf-8") for folder in ("emails", "trimmed", "elided")
    )
    text = written(mail)
    shown = {_key(line) for line in text.splitlines()}
    theirs = [line for line in trimmed.splitlines() if _key(line)]
    own = {_key(line) for line in theirs}
    whole = "\n".join(_key(line) for line in elided.splitlines())
    leaked = [
        line
        for line in text.splitlines()
        if _key(line) not in own
        and (f"\n{_key(line)}\n" in f"\n{whole}\n" or (len(_key(line)) > 5 and _key(line) in whole))
        and _key(line)
    ]
    missing = [line for line in theirs if _key(line) not in shown]
    return Scored(
        name,
        tuple(leaked),
        tuple(line for line in missing if not line.lstrip().startswith(">")),
        tuple(line for line in missing if line.lstrip().startswith(">")),
        text.split() == trimmed.split(),
    )


def _key(line: str) -> str:
    return "".join(re.findall(r"\w+", line.casefold()))


def scores() -> list[Scored]:
    """Every mail of the corpus, by name."""
    return [score(path.name) for path in sorted((CORPUS / "emails").glob("*.txt"))]


def main() -> int:
    """Print the table; 1 when more than one mail leaks or more than one loses."""
    found = scores()
    for one in found:
        for what, lines in (("leaks", one.leaked), ("loses", one.lost), ("context", one.context)):
            if lines:
                print(f"{one.name:36} {what:8} {len(lines):3} lines, first: {lines[0][:60]!r}")
    leaks, losses = sum(bool(one.leaked) for one in found), sum(bool(one.lost) for one in found)
    context = sum(bool(one.context) for one in found)
    exact = sum(one.exact for one in found)
    print(
        f"{len(found)} mails: {leaks} leak, {losses} lose, {exact} exact; {context} quote context"
    )
    return int(leaks > 1 or losses > 1)


if __name__ == "__main__":
    sys.exit(main())
