"""The stages of a process: what is added up, told to others and heard from them."""

import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator import stages


@pytest.fixture(autouse=True)
def _anew() -> Iterator[None]:
    stages.reset()
    yield
    stages.reset()


def test_a_batch_counts_its_messages_and_the_seconds_of_all() -> None:
    stages.observe("claim", 0.2, 100)
    stages.observe("claim", 0.001)
    kept = stages.found()["claim"]
    assert (kept.messages, kept.seconds) == (101, pytest.approx(0.201))
    buckets = dict(kept.cumulative())
    assert buckets["0.0005"] == 0
    assert buckets["0.001"] == 1
    assert buckets["0.0025"] == 101
    assert buckets["+Inf"] == 101


def test_a_batch_of_nobody_is_nothing_and_another_name_is_a_mistake() -> None:
    stages.observe("claim", 0.2, 0)
    assert stages.found() == {}
    with pytest.raises(KeyError):
        stages.observe("clam", 0.2)


def test_what_took_longer_than_every_bound_is_counted() -> None:
    stages.observe("smtp", 720.0)
    assert dict(stages.found()["smtp"].cumulative()) == {
        **dict.fromkeys(map(str, stages.BOUNDS), 0.0),
        "+Inf": 1.0,
    }


@given(
    st.lists(
        st.tuples(st.sampled_from(list(stages.STAGES)), st.floats(0, 1000), st.integers(1, 500)),
        max_size=30,
    )
)
def test_what_is_told_is_heard(seen: list[tuple[str, float, int]]) -> None:
    stages.reset()
    for stage, seconds, messages in seen:
        stages.observe(stage, seconds, messages)
    assert stages.heard(json.loads(json.dumps(stages.told()))) == stages.found()
    for kept in stages.found().values():
        *below, last = [count for _, count in kept.cumulative()]
        assert below == sorted(below)
        assert last == kept.messages


@pytest.mark.parametrize(
    "told",
    [None, [], "x", {"claim": None}, {"claim": [1, 2]}, {"claim": ["1"] * 21}, {"fly": [0] * 21}],
)
def test_what_another_version_tells_is_left_out(told: object) -> None:
    assert stages.heard(told) == {}
