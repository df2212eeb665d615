"""Opens and clicks, labelled, through the rules: precision and recall by source.

    python -m tests.simulator [--messages 100000] [--seed 1] [--json FILE]

Exits 1 when anything but a tap opened a call, or an honest click was not asked for its tap.
"""

import argparse
import json
import sys
import time
from pathlib import Path

from orchestrator.rules.networks import Lists, Ranges, value_of
from tests.simulator.score import Score, run
from tests.simulator.world import NO_LISTS, apples, lists, messages


def main() -> int:
    """Run it twice, with lists of networks and without, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    apple = apples()
    started = time.perf_counter()
    known = run(messages(asked.messages, seed=asked.seed, apple=apple), lists(apple))
    seconds = time.perf_counter() - started
    bare = run(messages(asked.messages, seed=asked.seed, apple=apple), NO_LISTS)
    print(table(known, bare))
    print(f"\n{known.hits / seconds:,.0f} hits a second; {lookup(lists(apple)):.1f} us a look-up")
    if asked.json:
        asked.json.write_text(json.dumps({"with": summary(known), "without": summary(bare)}))
    return int(any(one.false_unlocks or one.asked != one.honest for one in (known, bare)))


def table(known: Score, bare: Score) -> str:
    """Markdown: a line a source, and what it comes to."""
    lines = ["| source | kind | hits | should be | right at once | right in the end | no lists |"]
    lines += ["|---|---|---:|---|---:|---:|---:|"]
    for key, one in sorted(known.by_source.items(), key=lambda item: (item[1].truth, item[0])):
        other, machine = bare.by_source[key], one.truth == "machine"
        found = [
            (count if machine else one.hits - count) / one.hits
            for count in (one.at_once, one.machine, other.machine)
        ]
        shares = " | ".join(f"{share:.2%}" for share in found)
        wanted = "machine" if machine else "ambiguous"
        lines.append(f"| {key[0]} | {key[1]} | {one.hits:,} | {wanted} | {shares} |")
    lines += ["", "| | with lists | without |", "|---|---:|---:|"]
    both = [summary(known), summary(bare)]
    for name in both[0]:
        lines.append(f"| {name} | {' | '.join(_shown(one[name]) for one in both)} |")
    return "\n".join(lines)


def _shown(figure: float) -> str:
    return f"{figure:.2%}" if isinstance(figure, float) else f"{figure:,}"


def summary(score: Score) -> dict[str, float]:
    """The figures of one run: whole numbers are counts, the others shares."""
    figures: dict[str, float] = {"messages": score.messages, "hits": score.hits}
    for kind in ("open", "click"):
        figures[f"{kind}s: precision of machine"] = score.precision(kind, "machine")
        figures[f"{kind}s: recall of machine"] = score.recall(kind, True)
        figures[f"{kind}s: precision of ambiguous"] = score.precision(kind, "ambiguous")
        figures[f"{kind}s: people and proxies kept"] = score.recall(kind, False)
    figures["honest single clicks"] = score.honest
    figures["of those, asked for the one tap"] = score.asked
    figures["calls opened by a tap"] = score.unlocks
    figures["calls opened by anything else"] = score.false_unlocks
    return figures


def lookup(known: Lists) -> float:
    """Microseconds to ask Apple's list for an address that is parsed already."""
    ranges: Ranges = known.by_name["apple"][1]
    asked = [value_of(f"{a}.{b}.7.9") for a in range(1, 224) for b in range(0, 250, 5)]
    started = time.perf_counter()
    for value in asked:
        assert value is not None
        ranges.holds(*value)
    return (time.perf_counter() - started) / len(asked) * 1e6


if __name__ == "__main__":
    sys.exit(main())
