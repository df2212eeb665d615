"""What the prospect's page offers, as a table."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.rules.page_state import (
    Choice,
    PageFacts,
    Standing,
    month_later,
    page_state,
    rest_fault,
)
from tests.make import NOW

LATER = NOW + timedelta(days=30)
BEFORE = NOW - timedelta(days=1)


@pytest.mark.parametrize(
    ("facts", "standing", "choices"),
    [
        (PageFacts("active"), Standing.OPEN, "more later never"),
        (PageFacts("held"), Standing.OPEN, "more later never"),
        (PageFacts("held", unclear=True), Standing.ANSWERED, "more later never"),
        (PageFacts("active", answered_at=BEFORE), Standing.ANSWERED, "later never"),
        (PageFacts("active", not_before=LATER), Standing.RESTING, "more later never"),
        (PageFacts("active", not_before=BEFORE), Standing.OPEN, "more later never"),
        (PageFacts("active", unlocked=True), Standing.UNLOCKED, "times later never"),
        (
            PageFacts("active", unlocked=True, not_before=LATER),
            Standing.RESTING,
            "times later never",
        ),
        (
            PageFacts("finished", unlocked=True, booking_end=LATER),
            Standing.BOOKED,
            "booking never",
        ),
        (
            PageFacts("finished", unlocked=True, booking_end=BEFORE),
            Standing.CALLED,
            "booking never",
        ),
        (PageFacts("stopped", "declined", answered_at=BEFORE), Standing.DECLINED, "more never"),
        (PageFacts("finished"), Standing.OVER, "more later never"),
        (PageFacts("stopped", "manual", tap_moves=False), Standing.OVER, "later never"),
        (PageFacts("stopped", opted_out_at=BEFORE), Standing.OPTED_OUT, ""),
        (PageFacts("stopped", opted_out_at=BEFORE, unlocked=True), Standing.OPTED_OUT, ""),
        (
            PageFacts("finished", opted_out_at=BEFORE, unlocked=True, booking_end=LATER),
            Standing.OPTED_OUT,
            "booking",
        ),
    ],
)
def test_what_is_offered(facts: PageFacts, standing: Standing, choices: str) -> None:
    state = page_state(facts, NOW)
    assert state.standing is standing
    assert state.choices == {Choice(word) for word in choices.split()}


@given(
    st.builds(
        PageFacts,
        state=st.sampled_from(["active", "sending", "held", "stopped", "finished"]),
        stop_reason=st.sampled_from([None, "declined", "opt_out"]),
        answered_at=st.sampled_from([None, BEFORE]),
        opted_out_at=st.sampled_from([None, BEFORE]),
        not_before=st.sampled_from([None, BEFORE, LATER]),
        unclear=st.booleans(),
        tap_moves=st.booleans(),
        unlocked=st.booleans(),
        booking_end=st.sampled_from([None, BEFORE, LATER]),
    )
)
def test_times_are_offered_only_for_an_unlock_and_never_after_never(facts: PageFacts) -> None:
    state = page_state(facts, NOW)
    if state.offers(Choice.TIMES):
        assert facts.unlocked
        assert facts.opted_out_at is None
        assert facts.booking_end is None
    assert facts.opted_out_at is None or state.choices <= {Choice.BOOKING}
    assert facts.opted_out_at is not None or state.offers(Choice.NEVER)


@pytest.mark.parametrize(
    ("day", "months", "later"),
    [
        (date(2026, 11, 24), 1, date(2026, 12, 24)),
        (date(2026, 11, 30), 3, date(2027, 2, 28)),
        (date(2027, 11, 30), 3, date(2028, 2, 29)),
        (date(2026, 1, 31), 1, date(2026, 2, 28)),
        (date(2026, 3, 31), 1, date(2026, 4, 30)),
        (date(2026, 12, 1), 1, date(2027, 1, 1)),
    ],
)
def test_months_end_where_they_end(day: date, months: int, later: date) -> None:
    assert month_later(day, months) == later


def test_a_rest_is_in_the_future_and_at_most_two_years() -> None:
    today = date(2026, 11, 24)
    assert rest_fault(today, today) == "past"
    assert rest_fault(date(2020, 1, 1), today) == "past"
    assert rest_fault(date(2026, 11, 25), today) is None
    assert rest_fault(date(2028, 11, 24), today) is None
    assert rest_fault(date(2028, 12, 1), today) == "far"
    assert rest_fault(date(9999, 12, 31), today) == "far"
