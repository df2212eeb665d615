"""What may be done by itself about a message in doubt, and what a person is told who decides. Pure.

Outreach is at most once: it is sent again only where that is provably no repetition. A confirmation
that the prospect asked for may come twice, with the same Message-ID.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from orchestrator.rules.outgoing import OF_STEPS

# A copy that is gone after a day may have been tidied away: from then on its absence proves
# nothing. Younger than the settle delay (`doubt_after_seconds`), nothing is asked at all.
ABSENCE_PROVES = 24 * 3600.0
CONFIRMATION_ATTEMPTS = 3

Way = Literal["same_key", "again", "person"]


@dataclass(frozen=True, slots=True)
class Doubt:
    """A message in doubt. Ages in seconds: since the last hand-over, and since the first one."""

    kind: str
    attempt: int
    age: float
    first_age: float
    key_seconds: int | None = None  # how long the provider honours the key of this message
    superseded: bool = False  # a newer message says what this one said
    call_at: datetime | None = None  # of a confirmation: when the call is, if it still is


def absence_proves(doubt: Doubt) -> bool:
    """Whether a provider's "it is certainly not here" may be believed now."""
    return doubt.age < ABSENCE_PROVES


def same_key_works(doubt: Doubt, *, later: float = 0) -> bool:
    """Whether the provider still knows the key of the first attempt, `later` seconds from now, with
    half of its time to spare: clocks differ, and keys are dropped early."""
    if doubt.key_seconds is None or doubt.first_age < 0:
        return False
    return doubt.first_age + later < doubt.key_seconds / 2


def way(doubt: Doubt, now: datetime) -> Way:
    """What to do when nobody could be asked, or nobody knew."""
    if same_key_works(doubt):
        return "same_key"
    if doubt.kind in OF_STEPS:
        return "person"
    due = doubt.call_at is not None and doubt.call_at > now and not doubt.superseded
    return "again" if due and doubt.attempt < CONFIRMATION_ATTEMPTS else "person"
