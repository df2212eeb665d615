"""What an attempt to deliver means: when to try again, when to give up, when to disable. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

# Waits after the first, second, ... attempt that failed: a little over a day in all, so that the
# last attempt of a lone delivery finds its subscription failing for a day.
WAITS = (
    timedelta(seconds=5),
    timedelta(seconds=30),
    timedelta(minutes=2),
    timedelta(minutes=10),
    timedelta(minutes=30),
    timedelta(hours=1),
    timedelta(hours=2),
    timedelta(hours=4),
    timedelta(hours=8),
    timedelta(hours=8, minutes=30),
)
ATTEMPTS = len(WAITS) + 1
DISABLE_AFTER = timedelta(hours=24)
LONGEST_RETRY_AFTER = timedelta(hours=6)
GONE = "gone"
FAILING = "failing"

State = Literal["pending", "delivered", "failed"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a delivery and of its subscription."""

    state: State
    due_at: datetime | None = None  # of `pending`
    failing_since: datetime | None = None
    disable: str | None = None  # why the subscription is disabled


def judge(
    *,
    attempt: int,
    status: int | None,
    retry_after: int | None,
    failing_since: datetime | None,
    fraction: float,
    now: datetime,
) -> Verdict:
    """The meaning of attempt number `attempt` (from 1), answered with `status` or by nobody (None).

    2xx is delivered. 410 disables the subscription (Standard Webhooks), any other answer is tried
    again: also a redirect, which is not followed. `fraction` in [0, 1) spreads the retries.
    """
    if status is not None and 200 <= status < 300:
        return Verdict("delivered")
    since = failing_since or now
    if status == 410:
        return Verdict("failed", failing_since=since, disable=GONE)
    disable = FAILING if now - since >= DISABLE_AFTER else None
    if attempt >= ATTEMPTS:
        return Verdict("failed", failing_since=since, disable=disable)
    wait = WAITS[attempt - 1] * (1 + fraction / 10)
    if retry_after is not None:
        wait = max(wait, min(timedelta(seconds=retry_after), LONGEST_RETRY_AFTER))
    return Verdict("pending", due_at=now + wait, failing_since=since, disable=disable)
