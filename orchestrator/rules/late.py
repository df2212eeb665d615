"""Too late to leave by itself: what could have left long ago waits for a person. Pure.

Late is what nobody decided: an outage. What waited for a cap, a gap, a closed window or a lane that
rested could not have left; what a person paused and let go on is not late from then on. Hours are
plain hours since the first open moment: a weekend that the window leaves out does not count before
it, and one in the middle of an outage does, since the text has grown old all the same.
"""

from datetime import datetime, timedelta


def limit(hours: float, *, sandbox: bool) -> timedelta | None:
    """How late is too late; None in the sandbox, where a click moves the clock by days."""
    return None if sandbox else timedelta(hours=hours)


def overdue(since: datetime, now: datetime, most: timedelta | None) -> bool:
    """Whether something that could have left at `since` is too late at `now`."""
    return most is not None and now - since > most
