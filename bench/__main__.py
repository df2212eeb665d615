"""python -m bench [PATH...] [--quick] [--rounds N] [--json FILE] [--page FILE]

Runs each path interleaved with its ceiling and with the usual way, prints a line a round, and
writes the tables. Without names: all. The quick form tests the harness, not the machine. FILE is
written after each path and keeps what it says of paths that were not run.

Exit code 0; 1 when a bound of the full form is not met; 2 when a path fails; 130 after Ctrl-C.
"""

import argparse
import asyncio
import contextlib
import importlib
import pkgutil
import signal
import sys
import traceback
from pathlib import Path

import uvloop

from bench import noise, page, paths
from bench.measure import PATHS, Comparison, Measure, Result, Size, result, rounds_of
from bench.report import ordered
from bench.results import Results


def load() -> dict[str, str]:
    """Import every module of `bench.paths`. Returns what failed, by its name."""
    failed = {}
    for module in pkgutil.iter_modules(paths.__path__):
        try:
            importlib.import_module(f"bench.paths.{module.name}")
        except Exception as error:
            traceback.print_exc()
            failed[module.name] = f"{type(error).__name__}: {error}"
    return failed


Rounds = list[dict[str, float]]


def measured(one: Measure, before: list[tuple[Comparison, Rounds]]) -> Rounds | None:
    """The rounds of an earlier comparison that ran these very arms: two ratios, measured once."""
    if isinstance(one, Comparison):
        for other, values in before:
            if one.arms.items() <= other.arms.items():
                return values
    return None


async def measure(one: Measure, rounds: int, watch: noise.Noise) -> Rounds:
    """All rounds of one measure, a line each."""
    values = []
    watch.look()
    async for number, each in rounds_of(one, rounds):
        values.append(each)
        shown = ", ".join(f"{name} {value:,.4g}" for name, value in each.items())
        print(f"  {one.name}, round {number + 1}: {shown} {one.unit}", flush=True)
        watch.look()
    return values


async def run_path(name: str, size: Size, rounds: int, kept: Results) -> bool:
    """Measure one path and keep what came of it. False when it failed; the rest go on."""
    print(f"{name}: setting up", flush=True)
    watch, found = noise.Noise(), list[Result]()
    path, before = PATHS[name], list[tuple[Comparison, Rounds]]()
    try:
        async with asyncio.timeout(path.minutes * 60), path.place(size) as measures:
            for one in measures:
                values = measured(one, before) or await measure(one, rounds, watch)
                found.append(result(one, values))
                if isinstance(one, Comparison):
                    before.append((one, values))
    except Exception as error:
        if _ending():  # what breaks while it is taken down is no reason to go on
            raise asyncio.CancelledError from error
        traceback.print_exc()
        words = (str(error) or "took too long").splitlines()[0]
        kept.add(name, found, watch.told(), failed=f"{type(error).__name__}: {words}")
        print(f"{name}: FAILED, {type(error).__name__}: {words}", flush=True)
        return False
    kept.add(name, found, watch.told())
    print(f"{name}: {watch.told()['seconds']:.0f} s", flush=True)
    return True


def _ending() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def run(names: list[str], size: Size, rounds: int, kept: Results) -> int:
    """Every path of `names`; how many failed. SIGTERM ends it as Ctrl-C does, servers and all."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return [await run_path(name, size, rounds, kept) for name in names].count(False)


def arguments(words: list[str]) -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="PATH", help=" ".join(PATHS))
    parser.add_argument("--quick", action="store_true", help="small sizes, one round")
    parser.add_argument("--rounds", type=int, help="5, or 1 with --quick")
    parser.add_argument("--json", type=Path, help="keep the figures here")
    parser.add_argument("--page", type=Path, help="write the tables between this page's markers")
    asked = parser.parse_args(words)
    if unknown := set(asked.names) - set(PATHS):
        parser.error(f"no such path: {', '.join(sorted(unknown))}; there are {', '.join(PATHS)}")
    return asked


def main(words: list[str]) -> int:
    """The command."""
    broken = load()
    asked = arguments(words)
    size: Size = "quick" if asked.quick else "full"
    if warning := noise.busy():
        print(f"Beware: {warning}.", file=sys.stderr)
    kept = Results.load(asked.json, size)
    names = asked.names or ordered(PATHS)
    with contextlib.suppress(asyncio.CancelledError):
        failed = uvloop.run(
            run(names, size, asked.rounds or (1 if asked.quick else 5), kept)
        ) + len({} if asked.names else broken)
        print(kept.tables())
        if asked.page:
            page.write(asked.page, kept.data)
        if failed:
            return 2
        return 1 if size == "full" and kept.missed(names) else 0
    return 130


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
