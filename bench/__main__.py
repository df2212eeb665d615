"""python -m bench [PATH...] [--quick] [--rounds N] [--json FILE] [--page FILE]

Runs each path interleaved with its ceiling and with the usual way, prints a line a round, and
writes the table. Without names: all. The quick form tests the harness, not the machine.
"""

import argparse
import importlib
import json
import pkgutil
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import uvloop

from bench import paths, report
from bench.measure import PATHS, Row, Size, compare, row
from bench.place import machine


async def run(names: list[str], size: Size, rounds: int) -> list[Row]:
    """Every comparison of `names`, in their order."""
    rows = []
    for name in names:
        print(f"{name}: setting up", flush=True)
        async with PATHS[name](size) as comparisons:
            for one in comparisons:
                values = []
                async for number, each in compare(one, rounds):
                    values.append(each)
                    shown = ", ".join(f"{arm} {value:,.4g}" for arm, value in each.items())
                    print(f"  {one.name}, round {number + 1}: {shown} {one.unit}", flush=True)
                rows.append(row(one, values))
    return rows


def main() -> int:
    """The command. 0; 1 when a bound of the full form is not met."""
    for module in pkgutil.iter_modules(paths.__path__):
        importlib.import_module(f"bench.paths.{module.name}")
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="PATH", help=" ".join(PATHS))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rounds", type=int, default=None)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--page", type=Path, help="the Markdown page whose table is written anew")
    asked = parser.parse_args()
    if unknown := set(asked.names) - set(PATHS):
        parser.error(f"no such path: {', '.join(sorted(unknown))}; there are {', '.join(PATHS)}")
    size: Size = "quick" if asked.quick else "full"
    rounds = asked.rounds or (2 if asked.quick else 5)
    before = machine()
    rows = uvloop.run(run(asked.names or list(PATHS), size, rounds))
    found: dict[str, Any] = {
        "size": size,
        "taken": time.strftime("%Y-%m-%d", time.gmtime()),
        "machine": before,
        "rows": [asdict(one) | {"met": one.met} for one in rows],
    }
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=1) + "\n")
    words = report.table(found["rows"])
    print(words)
    if asked.page:
        asked.page.write_text(report.put_in(asked.page.read_text(), words))
    missed = [one.name for one in rows if one.met is False]
    return 1 if missed and size == "full" else 0


if __name__ == "__main__":
    sys.exit(main())
