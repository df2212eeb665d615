"""The models of `tests/model`, long: the state machine over the database, and the simulation."""

import ast
import os
import random
import subprocess
import sys
from pathlib import Path

from tests.faults.scenario import Figure, Outcome, Size, Tally, say, scenario
from tests.model.simulate import Broken, simulate

RUNS = {"quick": 5, "full": 100}
PEOPLE = {"quick": 200, "full": 5000}
_ROOT = Path(__file__).parents[3]
_SHOWN = ("runs", "taken", "answers", "unlocks", "message in_doubt", "again retry_wait")


@scenario("model.machine", quick=False, minutes=20)
def machine(size: Size) -> Outcome:
    """Crashes, stops, lost answers, late events and leases that run out, in any order on the real
    database; the laws are asked after each step.
    """
    seed = random.SystemRandom().randrange(2**32)
    say(f"model.machine: AVTALE_MODEL_SEED={seed} AVTALE_MODEL_EXAMPLES={RUNS[size]}")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-s", "-x", "tests/model/test_machine.py"],
        cwd=_ROOT,
        env=os.environ | {"AVTALE_MODEL_SEED": str(seed), "AVTALE_MODEL_EXAMPLES": str(RUNS[size])},
        capture_output=True,
        text=True,
    )
    lines = done.stdout.splitlines()
    counts: dict[str, int] = next(
        (ast.literal_eval(line) for line in lines if line.startswith("{")), {}
    )
    figures: dict[str, Figure] = {name: counts.get(name, 0) for name in _SHOWN}
    figures["seed"] = seed
    faults = tuple(line[:300] for line in lines if line.startswith("E ") and "Broken" in line)
    if done.returncode and not faults:
        faults = (f"pytest ended with {done.returncode}: {done.stdout[-300:]}",)
    return Outcome("model.machine", Tally(messages=counts.get("taken", 0)), figures, faults)


@scenario("model.simulation", quick=False, minutes=10)
def simulation(size: Size) -> Outcome:
    """Virtual years of the pure rules with thousands of people: the laws at each hand-over, and a
    second run from the same seed that is the same to the line.
    """
    seed = random.SystemRandom().randrange(2**32)
    try:
        first, again = (simulate(seed=seed, people=PEOPLE[size], days=1000) for _ in range(2))
    except Broken as error:
        return Outcome("model.simulation", Tally(), {"seed": seed}, (str(error),))
    taken = sum(first.ledger.values())
    same = first.trace.hexdigest() == again.trace.hexdigest()
    figures = {"seed": seed, "people": PEOPLE[size], "days": 1000, "trace": first.trace.hexdigest()}
    faults = () if same else ("the same seed gave another trace",)
    return Outcome("model.simulation", Tally(messages=taken), figures, faults)
