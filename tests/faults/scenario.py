"""What a fault scenario is, and the registry that finds every one of them by itself.

A scenario makes its own `town()`, does its deed, ends the town, and compares what the sink's ledger
says (the ground truth) with what the database says. Words as in Jepsen's checker for queues:

- *lost*: said to be sent and never taken by the sink, or not brought to an end
- *duplicated*: taken by the sink more than once
- *unexpected*: taken by the sink, and the database does not know it or says that it did not leave
- *in doubt*: not known, shown to a person, and never sent again by itself
"""

import importlib
import pkgutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

Size = Literal["quick", "full"]
Figure = float | int | str


@dataclass(frozen=True)
class Tally:
    """What became of the messages of one scenario."""

    messages: int = 0
    kills: int = 0
    lost: int = 0
    duplicated: int = 0
    unexpected: int = 0
    in_doubt: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.messages + other.messages,
            self.kills + other.kills,
            self.lost + other.lost,
            self.duplicated + other.duplicated,
            self.unexpected + other.unexpected,
            self.in_doubt + other.in_doubt,
        )


@dataclass(frozen=True)
class Outcome:
    """What a scenario found. No faults: it is green."""

    name: str
    tally: Tally
    figures: dict[str, Figure] = field(default_factory=dict)
    faults: tuple[str, ...] = ()


Run = Callable[[Size], Outcome]


@dataclass(frozen=True)
class Scenario:
    """A registered scenario: what it shows (its docstring), and whether the quick run has it."""

    name: str
    quick: bool
    run: Run
    minutes: float
    control: bool = False

    @property
    def about(self) -> str:
        """The first paragraph of its docstring, on one line."""
        return " ".join((self.run.__doc__ or "").strip().split("\n\n")[0].split())


_FOUND: dict[str, Scenario] = {}


def scenario(
    name: str, *, quick: bool, minutes: float = 5, control: bool = False
) -> Callable[[Run], Run]:
    """Register a scenario. `quick=False`: only in the full run. It is cut after `minutes`.

    A `control` is a sender that is not ours: its losses are reported, and not summed with ours.
    """

    def register(run: Run) -> Run:
        assert name not in _FOUND, f"two scenarios are called {name}"
        assert run.__doc__, f"{name} does not say what it shows"
        _FOUND[name] = Scenario(name, quick, run, minutes, control)
        return run

    return register


def load() -> dict[str, Scenario]:
    """Every scenario of every module in `tests.faults.scenarios`, by name."""
    package = importlib.import_module("tests.faults.scenarios")
    for module in sorted(pkgutil.iter_modules(package.__path__), key=lambda one: one.name):
        importlib.import_module(f"{package.__name__}.{module.name}")
    return dict(_FOUND)


_STARTED = time.monotonic()


def say(words: str) -> None:
    """A line of progress, with the seconds since the run began."""
    print(f"{time.monotonic() - _STARTED:7.1f} s  {words}", file=sys.stderr, flush=True)
