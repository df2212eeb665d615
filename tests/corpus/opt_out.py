"""How well a wish to stop is understood: `python -m tests.corpus.opt_out [PART]`.

Prints a table by language. Recall is the part of the sentences that mean stop and are read so; a
false stop is a trap that is read so. The sentences of the other parts (PARTS) were written when
the rules were finished, each part after the one before was mended, and are reported apart.
"""

import sys
import tomllib
from datetime import date
from pathlib import Path

from orchestrator.rules import meaning

DATA = Path(__file__).parents[1] / "rules" / "data"
PARTS = (
    "held",
    "again",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
)  # in the order in which they were written
TODAY = date(2026, 11, 24)


def sentences() -> dict[str, dict[str, list[str]]]:
    """Language -> `stop`, `trap`; `held`, `again`, and the traps of each -> sentences."""
    found: dict[str, dict[str, list[str]]] = {}
    for file in sorted(DATA.glob("opt_out*.toml")):
        for language, entry in tomllib.loads(file.read_text("utf-8")).items():
            found.setdefault(language, {}).update(entry)
    return found


def stops(text: str) -> bool:
    """Whether the product reads this as a wish to stop."""
    return meaning.read(text, today=TODAY).meaning == "stop"


def main() -> int:
    """Print the table by language, and what was misread; 1 below 99 % or with a false stop."""
    part = sys.argv[1] if len(sys.argv) > 1 else ""
    kinds = (part, f"{part}_trap") if part else ("stop", "trap")
    missed: list[str] = []
    false: list[str] = []
    total = traps = 0
    print(f"{'':4} {'stop':>5} {'read so':>8} {'recall':>7} {'traps':>6} {'false':>6}")
    for language, entry in sentences().items():
        said, decoys = entry.get(kinds[0], []), entry.get(kinds[1], [])
        lost = [one for one in said if not stops(one)]
        fooled = [one for one in decoys if stops(one)]
        share = 1 - len(lost) / max(len(said), 1)
        print(
            f"{language:4} {len(said):5} {len(said) - len(lost):8} {share:7.1%}"
            f" {len(decoys):6} {len(fooled):6}"
        )
        missed += [f"{language}: {one}" for one in lost]
        false += [f"{language}: {one}" for one in fooled]
        total += len(said)
        traps += len(decoys)
    recall = 1 - len(missed) / max(total, 1)
    print(f"all  {total:5} {total - len(missed):8} {recall:7.1%} {traps:6} {len(false):6}")
    for name, found in (("missed", missed), ("false", false)):
        for one in found:
            print(f"{name}  {one!r}")
    return int(recall < 0.99 or bool(false))


if __name__ == "__main__":
    sys.exit(main())
