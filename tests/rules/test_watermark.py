"""Watermarks are a shortcut: they are forgotten before anybody misses what lies behind them."""

from datetime import UTC, datetime
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.ids import uuid7
from orchestrator.rules.watermark import KEPT_SECONDS, START, Mark, Watermarks

LANE = uuid7()
MARK = Mark(datetime(2026, 11, 24, 9, 0, tzinfo=UTC), uuid7())


def test_a_lane_begins_before_everything() -> None:
    assert Watermarks().at(100.0) == {}
    assert START.due_at < MARK.due_at
    assert START.id == UUID(int=0)


def test_a_full_claim_leaves_its_mark() -> None:
    marks = Watermarks()
    marks.at(100.0)
    marks.note({LANE: MARK}, full=True)
    assert marks.at(100.0 + KEPT_SECONDS / 2) == {LANE: MARK}


def test_a_claim_that_was_not_full_looks_everywhere_next_time() -> None:
    """L3: there is no backlog, so what lies before a mark is not to wait."""
    marks = Watermarks()
    marks.at(100.0)
    marks.note({LANE: MARK}, full=True)
    marks.note({uuid7(): MARK}, full=False)
    assert marks.at(100.0) == {}


@given(st.lists(st.floats(0.001, 0.5), min_size=1, max_size=50))
def test_no_mark_outlives_its_time(pauses: list[float]) -> None:
    """L3: however often claims come back full, everything is looked at again in time."""
    marks = Watermarks()
    clock, emptied = 1000.0, 1000.0
    for pause in pauses:
        if not marks.at(clock):
            emptied = clock
        assert clock - emptied < KEPT_SECONDS
        marks.note({LANE: MARK}, full=True)
        clock += pause
