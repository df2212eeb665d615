"""When to try again, when to give up, when to disable."""

from datetime import UTC, datetime, timedelta

import pytest

from orchestrator.rules.delivery import (
    ATTEMPTS,
    DISABLE_AFTER,
    LONGEST_RETRY_AFTER,
    WAITS,
    Verdict,
    judge,
)

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


def verdict(
    status: int | None,
    attempt: int = 1,
    *,
    since: timedelta | None = None,
    retry_after: int | None = None,
    fraction: float = 0.0,
) -> Verdict:
    return judge(
        attempt=attempt,
        status=status,
        retry_after=retry_after,
        failing_since=None if since is None else NOW - since,
        fraction=fraction,
        now=NOW,
    )


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_2xx_is_delivered_and_ends_the_failing(status: int) -> None:
    assert verdict(status, 9, since=timedelta(days=3)) == Verdict("delivered")


@pytest.mark.parametrize("status", [None, 100, 301, 302, 307, 400, 401, 404, 429, 500, 503])
def test_anything_else_is_tried_again(status: int | None) -> None:
    found = verdict(status)
    assert found == Verdict("pending", due_at=NOW + WAITS[0], failing_since=NOW)


def test_410_disables_at_once() -> None:
    assert verdict(410) == Verdict("failed", failing_since=NOW, disable="gone")


def test_the_waits_grow_and_take_a_day() -> None:
    assert list(WAITS) == sorted(WAITS)
    whole = sum(WAITS, timedelta())
    assert timedelta(hours=24) <= whole <= timedelta(hours=26)
    # A lone delivery's last attempt finds a day of failures, also without any jitter.
    last = verdict(500, ATTEMPTS, since=whole)
    assert (last.state, last.disable) == ("failed", "failing")


def test_disabling_needs_a_day_of_nothing_but_failures() -> None:
    almost = verdict(500, 2, since=DISABLE_AFTER - timedelta(seconds=1))
    assert (almost.state, almost.disable) == ("pending", None)
    whole = verdict(500, 2, since=DISABLE_AFTER)
    assert (whole.state, whole.disable) == ("pending", "failing")
    lone = verdict(500, ATTEMPTS, since=timedelta(minutes=1))
    assert (lone.state, lone.disable) == ("failed", None)


def test_retry_after_delays_and_never_hastens() -> None:
    assert verdict(429, retry_after=60).due_at == NOW + timedelta(seconds=60)
    assert verdict(429, retry_after=1).due_at == NOW + WAITS[0]
    assert verdict(503, retry_after=10**6).due_at == NOW + LONGEST_RETRY_AFTER


def test_retries_are_spread() -> None:
    assert verdict(500, 8, fraction=0.5).due_at == NOW + WAITS[7] * 1.05
