"""Who may be enrolled, and why not: one conversation at a time, never after a no (L4)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from orchestrator.rules.context import PersonFacts
from orchestrator.rules.program import Program, SendStep, edges

ANSWERED_RECENTLY = timedelta(days=30)

# Why somebody is held back, in words for sales ops.
REASONS = {
    "opted_out": "opted out",
    "already_enrolled": "is or was in this sequence already",
    "in_another": "is in another sequence now: one conversation at a time",
    "answered_recently": f"answered within the last {ANSWERED_RECENTLY.days} days",
    "paused": "is paused by sales ops",
    "no_address": "has no address on a channel of this sequence",
    "suppressed": "has an address that nothing may be sent to",
    "bounced": "has an address that bounced",
    "no_window": "has no hour in common with the window and the sender: the zone is not known",
}


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a prospect stands with every sequence."""

    enrolled: bool = False  # in this sequence, at any time
    running: str | None = None  # another sequence that is running
    answered_at: datetime | None = None  # the last human engagement


@dataclass(frozen=True, slots=True)
class HeldBack:
    """Not to be enrolled. `reason` is a key of REASONS."""

    reason: str
    detail: str = ""

    def why(self) -> str:
        """The reason in words."""
        return REASONS[self.reason] + (f" ({self.detail})" if self.detail else "")


@dataclass(frozen=True, slots=True)
class Willing:
    """May be enrolled, over `channel`."""

    channel: str


def channels_of(program: Program) -> tuple[str, ...]:
    """The channels that every message of the program can go by, in the order of the first message;
    those of the first message when there is none in common."""
    sends = list(program.sends())
    if not sends:
        return ()
    first = first_message(program) or sends[0]
    common = tuple(
        channel for channel in first.channels if all(channel in step.channels for step in sends)
    )
    return common or first.channels


def first_message(program: Program) -> SendStep | None:
    """The nearest message step from the start, None when there is none."""
    queue, seen = [program.first], {"end"}
    while queue:
        step_id = queue.pop(0)
        if step_id in seen:
            continue
        seen.add(step_id)
        step = program.step(step_id)
        if isinstance(step, SendStep):
            return step
        queue.extend(edges(step))
    return None


def may_enroll(
    person: PersonFacts, standing: Standing, channels: Sequence[str], now: datetime
) -> Willing | HeldBack:
    """Whether `person` may be enrolled, and over which of `channels` (those that have a sender).

    Their own choice of a channel wins, then the order of `channels`.
    """
    if person.opted_out_at is not None:
        return HeldBack("opted_out")
    if standing.enrolled:
        return HeldBack("already_enrolled")
    if standing.running is not None:
        return HeldBack("in_another", standing.running)
    if standing.answered_at is not None and now - standing.answered_at < ANSWERED_RECENTLY:
        return HeldBack("answered_recently", f"{standing.answered_at:%Y-%m-%d}")
    if person.paused_at is not None:
        return HeldBack("paused")
    ordered = sorted(channels, key=lambda channel: channel != person.preferred_channel)
    for channel in ordered:
        if person.identity(channel) is not None:
            return Willing(channel)
    return _no_address(person, channels)


def _no_address(person: PersonFacts, channels: Sequence[str]) -> HeldBack:
    there = [one for one in person.identities if one.channel in channels]
    if any(one.suppressed for one in there):
        return HeldBack("suppressed")
    if there:
        return HeldBack("bounced")
    return HeldBack("no_address", " or ".join(channels))
