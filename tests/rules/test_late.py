"""Too late to leave by itself: the rule, and what it is not."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.rules import late, leaving, why

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
DAY = timedelta(hours=24)


def circumstances(**values: Any) -> leaving.Circumstances:
    """A message that may leave, but for `values`."""
    free: dict[str, Any] = {
        "kind": "outreach",
        "step": "hello",
        "enrollment_state": "sending",
        "enrollment_step": "hello",
        "answered": False,
        "opted_out": False,
        "suppressed": False,
        "address_usable": True,
        "prospect_paused": False,
        "not_before": None,
        "sequence_active": True,
        "opening": NOW,
    }
    return leaving.Circumstances(**free | values)


@given(st.timedeltas(min_value=timedelta(), max_value=timedelta(days=4000)))
def test_the_limit_is_the_limit(age: timedelta) -> None:
    assert late.overdue(NOW - age, NOW, DAY) is (age > DAY)
    assert not late.overdue(NOW - age, NOW, None)


def test_the_sandbox_jumps_by_days_and_nothing_is_late() -> None:
    assert late.limit(24, sandbox=False) == DAY
    assert late.limit(24, sandbox=True) is None


def test_a_person_is_asked_once_nothing_else_speaks_against_it() -> None:
    """What must never leave is dropped and not asked about; what waits goes on waiting."""
    asked = circumstances(late=True)
    assert leaving.decide(asked, NOW) == leaving.Hold("late", None)
    assert leaving.decide(circumstances(), NOW) == leaving.Go()
    no = circumstances(late=True, opted_out=True)
    assert leaving.decide(no, NOW) == leaving.Drop("opted_out", "cancelled")
    paused = circumstances(late=True, prospect_paused=True)
    assert leaving.decide(paused, NOW) == leaving.Hold("prospect_paused", None)
    closed = circumstances(late=True, opening=NOW + DAY)
    assert leaving.decide(closed, NOW) == leaving.Hold("late", None)
    invitation = circumstances(late=True, kind="invitation")
    assert leaving.decide(invitation, NOW) == leaving.Go()


def test_a_doubt_of_a_restore_is_told_as_what_it_is() -> None:
    """L7: not as a hand-over that was cut off."""
    line = why.tell(why.Happened(NOW, "message.in_doubt", {"by": "restore"}, step="hello"), None)
    assert line.reason == "it may have left after the backup that was restored"
    cut = why.tell(why.Happened(NOW, "message.in_doubt", {"fence": 1}, step="hello"), None)
    assert "cut off" in cut.reason
