"""Whether the installation is ready, from one look at it: what readyz says, and why."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

BEAT_LIMIT = 30.0  # seconds without a heartbeat: no worker is alive
OVERDUE_LIMIT = 600.0  # seconds that a message may be late before somebody should look


@dataclass(frozen=True, slots=True)
class Check:
    """One part: ok; degraded, which costs latency only; or failing."""

    name: str
    state: Literal["ok", "degraded", "failing"]
    detail: str


def lives(beat_age: float | None) -> bool:
    """Whether a worker with this heartbeat is alive."""
    return beat_age is not None and beat_age <= BEAT_LIMIT


def worker(beat_age: float | None) -> Check:
    """Without a worker nothing is planned, sent or read."""
    if beat_age is None:
        return Check("worker", "failing", "no worker has ever run: start `avtale worker`")
    if not lives(beat_age):
        return Check("worker", "failing", f"the last heartbeat is {beat_age:.0f} s old")
    return Check("worker", "ok", f"the last heartbeat is {beat_age:.0f} s old")


def overdue(seconds: float) -> Check:
    """A message that its lane could have sent long ago."""
    words = f"the oldest overdue message is {seconds:.0f} s late"
    if seconds > OVERDUE_LIMIT:
        return Check("messages", "failing", words)
    return Check("messages", "ok", words if seconds else "no message is overdue")


def redis(trouble: str | None) -> Check:
    """Redis only wakes workers up: without it messages leave at the sweeper's pace."""
    if trouble is None:
        return Check("redis", "ok", "answers")
    return Check("redis", "degraded", f"{trouble}: messages leave by the sweeper, a little later")


def doorbells(deaf: Sequence[tuple[str, datetime, float]]) -> Check:
    """Workers that live and that no doorbell reaches: (name, since, seconds), the longest first.

    A Redis that answers and takes nothing (read-only, full) shows here and nowhere else.
    """
    if not deaf:
        return Check("doorbells", "ok", "reach every worker")
    named = [f"{who} since {since:%Y-%m-%d %H:%M:%S}Z ({age:.0f} s)" for who, since, age in deaf]
    more = f", and {len(named) - 5} more" if len(named) > 5 else ""
    words = f"no doorbell reaches {', '.join(named[:5])}{more}: these workers look by themselves"
    return Check("doorbells", "degraded", words)


def database(trouble: str | None, migration: str | None, head: str) -> Check:
    """PostgreSQL holds everything."""
    if trouble is not None:
        return Check("database", "failing", trouble)
    if migration != head:
        return Check(
            "database",
            "failing",
            f"at migration {migration or 'none'}, this code needs {head}: run `avtale migrate`",
        )
    return Check("database", "ok", f"answers, at migration {head}")


def verdict(checks: list[Check]) -> Literal["ready", "degraded", "not ready"]:
    """The worst of the checks."""
    states = {check.state for check in checks}
    if "failing" in states:
        return "not ready"
    return "degraded" if "degraded" in states else "ready"
