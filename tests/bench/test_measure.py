"""Ratios inside a round, spreads over the rounds, and the exponent of a growth."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.measure import (
    Comparison,
    Curve,
    Figures,
    Growth,
    Reading,
    Row,
    Spread,
    fit,
    result,
    rounds_of,
)


async def collected(one: Comparison | Reading | Growth, rounds: int) -> list[dict[str, float]]:
    return [each async for _, each in rounds_of(one, rounds)]


def comparison(**changes: object) -> Comparison:
    async def arm() -> float:
        return 1.0

    values: dict[str, object] = {
        "name": "a path", "product": "ours", "other": "ceiling", "unit": "messages/s",
        "arms": {"ours": arm, "ceiling": arm}, "at_least": 0.5, "aim": 0.8,
    }  # fmt: skip
    return Comparison(**(values | changes))  # type: ignore[arg-type]  # as each test fills it


async def test_each_round_runs_every_arm_and_begins_with_another() -> None:
    order: list[str] = []

    def arm(name: str, value: float):  # type: ignore[no-untyped-def]  # a local helper
        async def take() -> float:
            order.append(name)
            return value

        return take

    arms = {"ours": arm("ours", 50), "ceiling": arm("ceiling", 100), "usual": arm("usual", 2)}
    values = await collected(comparison(arms=arms), 3)
    assert order == ["ours", "ceiling", "usual", "ceiling", "usual", "ours", "usual", "ours",
                     "ceiling"]  # fmt: skip
    assert values == [{"ours": 50, "ceiling": 100, "usual": 2}] * 3


def test_the_ratio_is_taken_inside_a_round_and_then_its_median() -> None:
    # The medians of the arms (40 and 100) would give 0.4.
    rounds = [
        {"ours": 40.0, "ceiling": 50.0},
        {"ours": 20.0, "ceiling": 100.0},
        {"ours": 90.0, "ceiling": 150.0},
    ]
    found = result(comparison(), rounds)
    assert isinstance(found, Row)
    assert found.ratio == Spread(0.6, 0.2, 0.8, [0.8, 0.2, 0.6])
    assert found.arms["ours"] == Spread(40.0, 20.0, 90.0, [40.0, 20.0, 90.0])
    assert found.rounds == 3


@pytest.mark.parametrize(
    ("better", "bound", "met"),
    [("more", 0.5, True), ("more", 0.51, False), ("less", 0.5, True), ("less", 0.49, False),
     ("more", None, None)],
)  # fmt: skip
def test_a_bound_is_from_below_for_rates_and_from_above_for_times(
    better: str, bound: float | None, met: bool | None
) -> None:
    one = comparison(better=better, at_least=bound)
    found = result(one, [{"ours": 1.0, "ceiling": 2.0}])
    assert found.met is met


async def test_a_reading_keeps_every_figure_and_bounds_the_first() -> None:
    taken = iter([{"p50": 3.0, "p99": 90.0}, {"p50": 5.0, "p99": 10.0}, {"p50": 1.0}])

    async def take() -> dict[str, float]:
        return next(taken)

    one = Reading("stopped", "ms", take, at_most=4, aim=2)
    found = result(one, await collected(one, 3))
    assert isinstance(found, Figures)
    assert found.values["p50"].median == 3.0
    assert found.values["p99"].values == [90.0, 10.0]
    assert found.met is True
    one.at_most = 2.9
    assert result(one, [{"p50": 3.0}]).met is False
    one.at_most = None
    assert result(one, [{"p50": 3.0}]).met is None


async def test_what_takes_minutes_runs_fewer_rounds() -> None:
    calls = 0

    async def take() -> dict[str, float]:
        nonlocal calls
        calls += 1
        return {"seconds": 1.0}

    assert len(await collected(Reading("slow", "s", take, rounds=1), 5)) == 1
    assert len(await collected(Reading("fast", "s", take, rounds=9), 5)) == 5
    assert calls == 6
    assert len(await collected(comparison(rounds=2), 5)) == 2


async def test_a_growth_takes_each_size_in_order_as_often_as_it_asks() -> None:
    seen: list[int] = []

    async def take(size: int) -> float:
        seen.append(size)
        return size * 2.0

    one = Growth("import", "s", [10, 100, 1000], take, rounds=2)
    found = result(one, await collected(one, 5))
    assert isinstance(found, Curve)
    assert seen == [10, 100, 1000] * 2
    assert [cost.median for cost in found.costs] == [20, 200, 2000]
    assert found.exponent == pytest.approx(1)


@given(
    st.floats(0.001, 1000),
    st.floats(-2, 3),
    st.lists(st.integers(1, 10**7), min_size=2, max_size=8, unique=True),
)
def test_the_fitted_exponent_is_the_one_that_made_the_costs(
    factor: float, power: float, sizes: list[int]
) -> None:
    found = fit(sizes, [factor * size**power for size in sizes])
    assert found == pytest.approx(power, abs=1e-6)


def test_without_two_sizes_or_with_a_cost_of_nothing_there_is_no_exponent() -> None:
    assert fit([10], [1]) is None
    assert fit([10, 10], [1, 2]) is None
    assert fit([10, 100], [0, 2]) is None
    assert fit([10, 100, 1000], [3, 3, 3]) == pytest.approx(0)
