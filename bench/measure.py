"""What a path measures: comparisons inside one round, readings, and cost as work grows.

A machine's pace changes from minute to minute (`docs/performance.md` states by how much in each
run), so two arms are only ever compared when they ran next to each other: every round runs each
arm once, and only ratios inside a round are kept.
"""

import math
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
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
    rounds: int | None = None  # fewer than the run asks for, where one takes minutes


@dataclass
class Reading:
    """Figures that stand for themselves: `{"p50": .., "p99": ..}`, `{"seconds": ..}`.

    `take` is called once a round; `at_most` and `aim` bound the median of its first key.
    """

    name: str
    unit: str
    take: Callable[[], Awaitable[dict[str, float]]]
    at_most: float | None = None
    aim: float | None = None
    notes: dict[str, Any] = field(default_factory=dict)
    rounds: int | None = None


@dataclass
class Growth:
    """Cost at each of `sizes`, in their order: seconds for the whole, or the p50 of one in ms.

    The exponent of cost over size is fitted: 1 is linear for a whole, 0 is flat for one.
    """

    name: str
    unit: str
    sizes: list[int]
    take: Callable[[int], Awaitable[float]]
    notes: dict[str, Any] = field(default_factory=dict)
    rounds: int = 1


Measure = Comparison | Reading | Growth


@dataclass(frozen=True)
class Spread:
    """Median, least and most of one arm or ratio over the rounds, and each of them."""

    median: float
    least: float
    most: float
    values: list[float]

    @classmethod
    def of(cls, values: list[float]) -> "Spread":
        return cls(median(values), min(values), max(values), values)


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
    kind: str = "comparison"

    @property
    def met(self) -> bool | None:
        """Whether the bound holds in the median; None where there is none."""
        if self.at_least is None:
            return None
        if self.better == "more":
            return self.ratio.median >= self.at_least
        return self.ratio.median <= self.at_least


@dataclass(frozen=True)
class Figures:
    """What came of a reading: a spread for each key."""

    name: str
    unit: str
    at_most: float | None
    aim: float | None
    rounds: int
    values: dict[str, Spread]
    notes: dict[str, Any]
    kind: str = "reading"

    @property
    def met(self) -> bool | None:
        """Whether the median of the first key keeps the bound; None where there is none."""
        if self.at_most is None:
            return None
        return next(iter(self.values.values())).median <= self.at_most


@dataclass(frozen=True)
class Curve:
    """What came of a growth: a cost for each size, and the exponent fitted through the medians."""

    name: str
    unit: str
    sizes: list[int]
    costs: list[Spread]
    exponent: float | None
    notes: dict[str, Any]
    kind: str = "growth"
    met: None = None


Result = Row | Figures | Curve
Place = Callable[[Size], AbstractAsyncContextManager[Sequence[Measure]]]


@dataclass(frozen=True)
class Path:
    """A registered path: what sets it up, and after how many minutes it is cut."""

    place: Place
    minutes: float


PATHS: dict[str, Path] = {}


def path(name: str, *, minutes: float = 5) -> Callable[[Place], Place]:
    """Register what sets up, yields measures and takes down again, in at most `minutes`."""

    def keep(place: Place) -> Place:
        PATHS[name] = Path(place, minutes)
        return place

    return keep


async def compare(one: Comparison, rounds: int) -> AsyncIterator[tuple[int, dict[str, float]]]:
    """Run the arms `rounds` times, in turns that begin with another arm each time."""
    names = list(one.arms)
    for number in range(rounds):
        at = number % len(names)
        values = {name: await one.arms[name]() for name in [*names[at:], *names[:at]]}
        yield number, values


async def read(one: Reading, rounds: int) -> AsyncIterator[tuple[int, dict[str, float]]]:
    """Take the figures `rounds` times."""
    for number in range(rounds):
        yield number, await one.take()


async def grow(one: Growth) -> AsyncIterator[tuple[int, dict[str, float]]]:
    """Take each size, smallest first, as often as it asks for."""
    for number in range(one.rounds):
        yield number, {f"{size:,}": await one.take(size) for size in one.sizes}


def rounds_of(one: Measure, rounds: int) -> AsyncIterator[tuple[int, dict[str, float]]]:
    """The rounds of any measure: their number and their figures."""
    if isinstance(one, Growth):
        return grow(one)
    fewer = min(rounds, one.rounds or rounds)
    return compare(one, fewer) if isinstance(one, Comparison) else read(one, fewer)


def result(one: Measure, values: list[dict[str, float]]) -> Result:
    """What the rounds' figures come to."""
    if isinstance(one, Comparison):
        return row(one, values)
    if isinstance(one, Reading):
        return figures(one, values)
    return curve(one, values)


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


def figures(one: Reading, values: list[dict[str, float]]) -> Figures:
    """The spread of each key over the rounds. A round without a key leaves it out there."""
    names = list(dict.fromkeys(name for each in values for name in each))
    return Figures(
        name=one.name,
        unit=one.unit,
        at_most=one.at_most,
        aim=one.aim,
        rounds=len(values),
        values={name: Spread.of([each[name] for each in values if name in each]) for name in names},
        notes=one.notes,
    )


def curve(one: Growth, values: list[dict[str, float]]) -> Curve:
    """The spread of the cost at each size, and the exponent."""
    costs = [Spread.of([each[f"{size:,}"] for each in values]) for size in one.sizes]
    exponent = fit(one.sizes, [cost.median for cost in costs])
    return Curve(one.name, one.unit, one.sizes, costs, exponent, one.notes)


def fit(sizes: Sequence[float], costs: Sequence[float]) -> float | None:
    """The exponent b of cost = a * size ** b, by least squares over the logarithms.

    None with fewer than two sizes, or a cost that is not above zero.
    """
    if len(set(sizes)) < 2 or min(costs) <= 0:
        return None
    xs, ys = [math.log(size) for size in sizes], [math.log(cost) for cost in costs]
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    up = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True))
    return up / sum((x - mean_x) ** 2 for x in xs)
