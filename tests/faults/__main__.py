"""Run the fault suite: real processes, real servers, and a ledger that tells the truth.

    python -m tests.faults [NAME...] [--full] [--jobs N] [--json FILE] [--page FILE]

A line of progress goes to stderr for each step, the table to stdout. Exit 1 on any fault. FILE is
written after every scenario, so that a run that is cut leaves what it has; scenarios that were not
run keep what FILE says of them.
"""

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from tests.faults import report
from tests.faults.scenario import Outcome, Scenario, Size, Tally, load, say


@contextmanager
def at_most(minutes: float) -> Iterator[None]:
    """Raise TimeoutError in the main thread when the block takes longer."""

    def late(_number: int, _frame: FrameType | None) -> None:
        raise TimeoutError(f"cut after {minutes:g} minutes")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, minutes * 60)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def run_one(one: Scenario, size: Size) -> Outcome:
    """Its outcome; what it raises is a fault."""
    try:
        with at_most(one.minutes):
            return one.run(size)
    except Exception as error:
        traceback.print_exc()
        words = str(error).splitlines() or [""]
        return Outcome(one.name, Tally(), {}, (f"{type(error).__name__}: {words[0]}",))


def chosen(names: list[str], size: Size) -> list[Scenario]:
    """The scenarios to run, by name; `redis` stands for every `redis.<something>` too."""
    known = load()
    wanted = [name for name, one in known.items() if not names and (one.quick or size == "full")]
    for word in names:
        if word.startswith("="):  # this one alone
            found = [name for name in known if name == word[1:]]
        else:
            found = [name for name in known if name == word or name.startswith(f"{word}.")]
        if not found:
            raise SystemExit(f"no scenario {word}; there are: {', '.join(sorted(known))}")
        wanted.extend(found)
    return [known[name] for name in sorted(set(wanted))]


Done = tuple[Scenario, Outcome, float]


def one_by_one(wanted: list[Scenario], size: Size) -> Iterator[Done]:
    """Each scenario in this process: outcome and seconds."""
    for one in wanted:
        say(f"{one.name} ...")
        started = time.monotonic()
        yield one, run_one(one, size), time.monotonic() - started


def side_by_side(wanted: list[Scenario], size: Size, jobs: int) -> Iterator[Done]:
    """Scenarios in processes of their own, `jobs` at a time: most of their time is waiting."""
    with (
        tempfile.TemporaryDirectory(prefix="avtale-suite-") as home,
        ThreadPoolExecutor(jobs) as ex,
    ):
        longest_first = sorted(wanted, key=lambda one: -one.minutes)
        running = [ex.submit(apart, one, size, Path(home)) for one in longest_first]
        for done in as_completed(running):
            yield done.result()


def apart(one: Scenario, size: Size, home: Path) -> Done:
    """One scenario in a process of its own."""
    kept = home / f"{one.name}.json"
    command = [sys.executable, "-m", "tests.faults", f"={one.name}", "--json", str(kept)]
    started = time.monotonic()
    done = subprocess.run(
        [*command, *(["--full"] if size == "full" else [])], stdout=subprocess.DEVNULL
    )
    seconds = time.monotonic() - started
    if not kept.exists():
        return one, Outcome(one.name, Tally(), {}, (f"ended with {done.returncode}",)), seconds
    row = json.loads(kept.read_text())["scenarios"][one.name]
    found = Outcome(one.name, Tally(**row["tally"]), row["figures"], tuple(row["faults"]))
    return one, found, seconds


def main(words: list[str]) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--full", action="store_true", help="the long form: 20,000 messages")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="so many at a time")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the results here")
    parser.add_argument("--page", type=Path, metavar="FILE", help="write the table into this page")
    asked = parser.parse_args(words)
    size: Size = "full" if asked.full else "quick"
    results = report.Results.load(asked.json, size)
    faults = 0
    wanted = chosen(asked.names, size)
    several = asked.jobs > 1
    ended = side_by_side(wanted, size, asked.jobs) if several else one_by_one(wanted, size)
    for one, outcome, seconds in ended:
        faults += len(outcome.faults)
        results.add(one, outcome, seconds)
        say(f"{one.name}: {', '.join(outcome.faults) or 'green'}, {seconds:.0f} s")
    print(results.table())
    if asked.page:
        results.write_page(asked.page)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
