"""How well short answers are understood: `python -m tests.corpus.meanings [PART]`.

Prints, by meaning, how many sentences were read so, how many were left to a person (a question or
unclear), and how many were read as something else. What must never be: a no or a wish to stop read
as interest.
"""

import sys
import tomllib
from datetime import date
from pathlib import Path

from orchestrator.rules import meaning

DATA = Path(__file__).parents[1] / "rules" / "data" / "meanings.toml"
TODAY = date(2026, 11, 24)
LEFT = ("unclear", "question")


def answers() -> dict[str, dict[str, list[str]]]:
    """Part -> meaning -> sentences."""
    found: dict[str, dict[str, list[str]]] = tomllib.loads(DATA.read_text("utf-8"))
    return found


def said(text: str) -> str:
    """What the product makes of it."""
    return meaning.read(text, today=TODAY).meaning


def main() -> int:
    """Print the table and what was misread; 1 when a no was read as interest."""
    part = answers()[sys.argv[1] if len(sys.argv) > 1 else "first"]
    misread: list[str] = []
    bad = False
    print(f"{'':13} {'all':>4} {'read':>5} {'left':>5} {'wrong':>6}")
    for wanted, texts in part.items():
        read = [(one, said(one)) for one in texts]
        right = sum(found == wanted for _, found in read)
        left = sum(found != wanted and found in LEFT for _, found in read)
        print(f"{wanted:13} {len(texts):4} {right:5} {left:5} {len(texts) - right - left:6}")
        misread += [
            f"{wanted:13} read {found:12} {one!r}" for one, found in read if found != wanted
        ]
        bad |= wanted != "interested" and any(found == "interested" for _, found in read)
    print("\n".join(misread))
    return int(bad)


if __name__ == "__main__":
    sys.exit(main())
