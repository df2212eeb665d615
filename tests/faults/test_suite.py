"""The suite's own parts: the words it counts, the page it writes, the time it gives."""

import time
from collections import Counter
from pathlib import Path

import pytest

from tests.faults.__main__ import at_most, chosen, run_one
from tests.faults.audit import compare, judge
from tests.faults.report import BEGIN, END, Results
from tests.faults.scenario import Outcome, Scenario, Size, Tally, load


@pytest.mark.parametrize(
    ("taken", "states", "found"),
    [
        ({"a": 1}, {"a": "sent"}, {}),
        ({}, {"a": "sent"}, {"lost": 1}),
        ({}, {"a": "pending"}, {"lost": 1}),
        ({}, {}, {"lost": 1}),
        ({"a": 1}, {"a": "sending"}, {"lost": 1}),
        ({"a": 3}, {"a": "sent"}, {"duplicated": 2}),
        ({"a": 1}, {"a": "retry_wait"}, {"unexpected": 1}),
        ({"a": 1}, {"a": "failed"}, {"unexpected": 1}),
        ({"a": 1, "b": 1}, {"a": "sent"}, {"unexpected": 1}),
        ({"a": 1}, {"a": "in_doubt"}, {"in_doubt": 1}),
        ({}, {"a": "in_doubt"}, {"in_doubt": 1}),
    ],
)
def test_each_word_is_counted(
    taken: dict[str, int], states: dict[str, str], found: dict[str, int]
) -> None:
    assert compare(Counter(taken), states, expected=1) == Tally(messages=1, **found)


def test_a_stopped_message_that_stayed_here_is_not_lost() -> None:
    assert compare(Counter(), {"a": "cancelled"}, expected=1, stopped=1) == Tally(messages=1)


def test_more_doubts_than_open_connections_are_a_fault() -> None:
    assert judge(Tally(in_doubt=10), in_doubt_at_most=10) == ()
    assert judge(Tally(in_doubt=11, lost=1), in_doubt_at_most=10) == (
        "1 lost",
        "11 in doubt, at most 10 can be",
    )


def test_every_module_of_scenarios_is_found() -> None:
    known = load()
    modules = Path(__file__).parent.joinpath("scenarios").glob("[a-z]*.py")
    found = {one.run.__module__.rpartition(".")[2] for one in known.values()}
    assert found == {path.stem for path in modules}
    assert all(one.about for one in known.values())
    assert {one.name for one in chosen([], "full")} == set(known)


def _broken(_size: Size) -> Outcome:
    """Raise."""
    raise RuntimeError("on purpose")


def _endless(_size: Size) -> Outcome:
    """Never end by itself."""
    time.sleep(60)
    return Outcome("endless", Tally())


@pytest.mark.parametrize(("run", "word"), [(_broken, "on purpose"), (_endless, "cut after")])
def test_what_a_scenario_raises_is_a_fault(run: object, word: str) -> None:
    one = Scenario("x", True, run, minutes=0.002)  # type: ignore[arg-type]  # either function
    assert word in run_one(one, "quick").faults[0]


def test_a_limit_that_was_not_needed_is_taken_away() -> None:
    with at_most(0.001):
        pass
    time.sleep(0.1)


def test_a_run_that_is_cut_leaves_what_it_has_and_the_page_is_written_from_it(
    tmp_path: Path,
) -> None:
    kept, page = tmp_path / "kept.json", tmp_path / "page.md"
    ours = Scenario("ours", True, _broken, 1)
    control = Scenario("naive", True, _broken, 1, control=True)
    Results.load(kept, "full").add(ours, Outcome("ours", Tally(1000, 5), {"p50": 1.5}), 2.0)
    second = Results.load(kept, "full")
    second.add(control, Outcome("naive", Tally(1000, 5, lost=7)), 2.0)
    assert second.total() == Tally(1000, 5)
    assert Results.load(kept, "quick").rows == {}
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    second.write_page(page)
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "old" not in text
    assert "| ours | 1,000 | 5 | 0 |" in text
    assert "| naive | 1,000 | 5 | 7 |" in text
    assert "none in 1,000: below 0.300%" in text
    assert "p50: 1.5" in text
