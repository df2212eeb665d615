"""Interleaved comparisons: every round runs each arm once, and only ratios inside a round are kept.

A machine's pace changes from minute to minute (`docs/performance.md` states by how much in each
run), so two arms are only ever compared when they ran next to each other.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Literal

Size = Literal["quick", "full"]
Arm = Callable[[], Awaitable[float]]


@dataclass
class Comparison:
    """One row of the table: the product beside its ceiling, or beside the usual way.

    Each arm returns a figure: a rate (`better="more"`) or a time (`better="less"`). The ratio is
    product / other. `at_least` and `aim` bound it from below for rates, from above for times.
    """

    name: str
    product: str
    other: str
    unit: str
    arms: dict[str, Arm]
    at_least: float | None = None
    aim: float | None = None
    better: Literal["more", "less"] = "more"
    notes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Spread:
    """Median, least and most of one arm or ratio over the rounds."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: list[float]) -> "Spread":
        return cls(median(values), min(values), max(values))


@dataclass(frozen=True)
class Row:
    """What came of a comparison."""

    name: str
    product: str
    other: str
    unit: str
    better: str
    at_least: float | None
    aim: float | None
    rounds: int
    arms: dict[str, Spread]
    ratio: Spread
    notes: dict[str, Any]

    @property
    def met(self) -> bool | None:
        """Whether the bound holds in the median; None where there is none."""
        if self.at_least is None:
            return None
        if self.better == "more":
            return self.ratio.median >= self.at_least
        return self.ratio.median <= self.at_least


Place = Callable[[Size], AbstractAsyncContextManager[list[Comparison]]]
PATHS: dict[str, Place] = {}


def path(name: str) -> Callable[[Place], Place]:
    """Register what sets up, yields comparisons and takes down again."""

    def keep(place: Place) -> Place:
        PATHS[name] = place
        return place

    return keep


async def compare(one: Comparison, rounds: int) -> AsyncIterator[tuple[int, dict[str, float]]]:
    """Run the arms `rounds` times, in turns that begin with another arm each time."""
    names = list(one.arms)
    for number in range(rounds):
        at = number % len(names)
        values = {name: await one.arms[name]() for name in [*names[at:], *names[:at]]}
        yield number, values


def row(one: Comparison, values: list[dict[str, float]]) -> Row:
    """The spreads of the arms and of the ratio product / other within each round."""
    return Row(
        name=one.name,
        product=one.product,
        other=one.other,
        unit=one.unit,
        better=one.better,
        at_least=one.at_least,
        aim=one.aim,
        rounds=len(values),
        arms={name: Spread.of([each[name] for each in values]) for name in one.arms},
        ratio=Spread.of([each[one.product] / each[one.other] for each in values]),
        notes=one.notes,
    )
