"""Score the class of a refusal on the words of servers alone.

python -m tests.corpus.said [--misses]

Each line of `said.txt` has its class (others after it are allowed), its status code and its words.
"""

import argparse
from pathlib import Path

from orchestrator.rules.mail.refusals import classify

SAID = Path(__file__).with_name("said.txt")


def load() -> list[tuple[list[str], str, str]]:
    """The lines: the classes that are right, the status, the words."""
    lines = [one for one in SAID.read_text("utf-8").splitlines() if one and one[0] != "#"]
    found = [[part.strip() for part in line.split("|", 2)] for line in lines]
    return [(classes.split(), status, words) for classes, status, words in found]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--misses", action="store_true")
    asked = parser.parse_args()
    lines = load()
    strict = wide = 0
    for classes, status, words in lines:
        name, why = classify(status, words)
        strict += name == classes[0]
        wide += name in classes
        if asked.misses and name not in classes:
            print(f"  {name} ({why}), not {classes}: {status} {words}")
    share = f"{strict} strict ({100 * strict / len(lines):.1f} %), {wide} with what is allowed"
    print(f"{len(lines)} refusals: {share}")


if __name__ == "__main__":
    main()
