"""Where the time of this process goes: seconds and messages of each stage, since it started.

`observe` is cheap enough for every message (0.4 us on the machine of `docs/performance.md`). No
stage contains another one. Seconds are of the wall: a stage that waits for PostgreSQL or for a mail
server counts the wait, and while one batch waits another one works, so that the stages of a process
add up to more than the time that passed.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

# Name -> what is timed, in the order of a message's life.
STAGES = {
    "claim": "lease a batch of due messages",
    "prepare": "read what a batch needs and decide what still may leave",
    "render": "put a person's words into the templates",
    "mime": "put the bytes of a mail together",
    "freeze": "write a batch's bytes and links down",
    "pass": "commit the point of no return, every stop looked at again",
    "smtp": "hand over, until the provider has answered",
    "settle": "commit what came of it",
    "plan": "enroll, and plan the next message",
    "webhook": "take a provider's event, verified and committed",
    "seen": "take an open or a click",
}
# Upper bounds of the histogram, in seconds a message: 10 us to 30 s.
BOUNDS = (
    *(0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01),
    *(0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0),
)


@dataclass(slots=True)
class Stage:
    """One stage's sums. `counts` has a number for each of `BOUNDS`, and one for what is longer."""

    messages: int = 0
    seconds: float = 0.0
    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))

    def cumulative(self) -> Iterator[tuple[str, float]]:
        """Prometheus' buckets: the bound, and how many messages took no longer."""
        so_far = 0
        for bound, count in zip([*map(str, BOUNDS), "+Inf"], self.counts, strict=True):
            so_far += count
            yield bound, float(so_far)


_KEPT: dict[str, Stage] = {name: Stage() for name in STAGES}


def observe(stage: str, seconds: float, messages: int = 1) -> None:
    """`messages` went through `stage`, in `seconds` for all of them. KeyError for another name."""
    if messages > 0:
        kept = _KEPT[stage]
        kept.messages += messages
        kept.seconds += seconds
        kept.counts[bisect_left(BOUNDS, seconds / messages)] += messages


def reset() -> None:
    """Begin anew, before a measurement."""
    for name in STAGES:
        _KEPT[name] = Stage()


def found() -> dict[str, Stage]:
    """The stages that were gone through, in the order of `STAGES`; live, not a copy."""
    return {name: stage for name, stage in _KEPT.items() if stage.messages}


def told() -> dict[str, list[float]]:
    """`found` as JSON: messages, seconds, and the counts of the histogram."""
    return {name: [one.messages, one.seconds, *one.counts] for name, one in found().items()}


def heard(told: Any) -> dict[str, Stage]:
    """What another process told. What is not of this form (another version's) is left out."""
    stages: dict[str, Stage] = {}
    for name, numbers in (told if isinstance(told, dict) else {}).items():
        if name in STAGES and _numbers(numbers):
            stages[name] = Stage(int(numbers[0]), float(numbers[1]), [int(n) for n in numbers[2:]])
    return stages


def _numbers(given: Any) -> bool:
    return (
        isinstance(given, list)
        and len(given) == len(BOUNDS) + 3
        and all(isinstance(one, int | float) for one in given)
    )


def total(stages: Iterable[Stage]) -> float:
    """Seconds of all `stages` together."""
    return sum(one.seconds for one in stages)
