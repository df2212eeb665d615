"""May this message leave now? Decided at the claim, and again in SQL at the point of no return."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

# Why a message does not leave; the words of `why`.
Reason = Literal[
    "opted_out",
    "suppressed",
    "address_bounced",
    "answered",
    "enrollment_over",
    "enrollment_held",
    "prospect_paused",
    "snoozed",
    "sequence_paused",
    "window_closed",
    "no_window",
    "request_cap",
    "late",
]


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What is known of a message, its prospect and its sequence at one instant."""

    kind: str
    step: str
    enrollment_state: str
    enrollment_step: str
    answered: bool
    opted_out: bool
    suppressed: bool
    address_usable: bool
    prospect_paused: bool
    not_before: datetime | None
    sequence_active: bool
    opening: datetime | None  # next instant inside the window, `now` itself when it is open
    late: bool = False  # it could have left so long ago that a person looks at it first


@dataclass(frozen=True, slots=True)
class Go:
    """It may leave."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Not yet: look again at `until`; None when a person has to act first."""

    reason: Reason
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Drop:
    """Never."""

    reason: Reason
    state: Literal["cancelled", "suppressed"]


def decide(c: Circumstances, now: datetime) -> Go | Hold | Drop:
    """The laws L4 and L5 for one message. A host's copy concerns no prospect and always goes."""
    if c.kind == "host_invitation":
        return Go()
    if c.opted_out:
        return Drop("opted_out", "cancelled")
    if c.suppressed:
        return Drop("suppressed", "suppressed")
    if not c.address_usable:
        return Drop("address_bounced", "suppressed")
    if c.kind == "invitation":  # the prospect asked for it: no window, no pause
        return Go()
    if c.enrollment_state == "held" and c.enrollment_step == c.step:
        return Hold("enrollment_held", None)  # a person reads an answer first, then it may go on
    if c.enrollment_state != "sending" or c.enrollment_step != c.step:
        return Drop("enrollment_over", "cancelled")
    if c.answered and c.kind != "call_offer":
        return Drop("answered", "cancelled")
    if not c.sequence_active:
        return Hold("sequence_paused", None)
    if c.prospect_paused:
        return Hold("prospect_paused", None)
    if c.not_before is not None and c.not_before > now:
        return Hold("snoozed", c.not_before)
    if c.late:
        return Hold("late", None)
    if c.opening is None:
        return Hold("no_window", None)
    return Go() if c.opening <= now else Hold("window_closed", c.opening)
