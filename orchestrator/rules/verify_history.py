"""What a message must be, from its lines of history: a fold, and the laws about hand-overs.

Pure. The lines are those of `messages` flows in the order in which they were written; the kinds
that say nothing about its state (held, delivered, planned) are left out by `STATES`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

# Kinds of history that change what is known of a message -> the states that it may be in after.
STATES: dict[str, frozenset[str]] = {
    # A lease and a lease that an answer took back leave no line.
    "": frozenset({"pending", "leased", "retry_wait"}),
    "message.sending": frozenset({"sending"}),
    "message.sent": frozenset({"sent"}),
    "message.retry_wait": frozenset({"retry_wait", "leased"}),
    "message.released": frozenset({"retry_wait", "leased"}),
    "message.lease_expired": frozenset({"retry_wait", "leased"}),
    "message.failed": frozenset({"failed"}),
    "message.in_doubt": frozenset({"in_doubt"}),
    "message.abandoned": frozenset({"abandoned"}),
    "message.cancelled": frozenset({"cancelled"}),
    "message.suppressed": frozenset({"suppressed"}),
}
KINDS: tuple[str, ...] = tuple(kind for kind in STATES if kind)
# After a hand-over, only these prove that it did not leave, so that another may follow.
_UNSENT = frozenset({"message.retry_wait", "message.released"})


@dataclass(frozen=True, slots=True)
class Told:
    """One line of history about a message. `by`: who or what settled it, if it says."""

    kind: str
    fence: int | None = None
    by: str | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """What the row of the message says."""

    state: str
    fence: int
    attempt: int


Found = tuple[str, dict[str, Any]]


def judge(message: Standing, lines: Sequence[Told]) -> Iterator[Found]:
    """The checks that a message fails by its history: (name, what was found)."""
    last = lines[-1].kind if lines else ""
    if message.state not in STATES[last]:
        yield "message_history", {"state": message.state, "history": last or "nothing"}
    fences = [line.fence for line in lines if line.fence is not None]
    highest = max(fences, default=0)
    if highest > message.fence:
        yield "message_fence", {"fence": message.fence, "history": highest}
    sent = sum(line.kind == "message.sent" for line in lines)
    if sent > 1:
        yield "sent_twice", {"times": sent}
    yield from _handovers(message, lines)


def _handovers(message: Standing, lines: Sequence[Told]) -> Iterator[Found]:
    under_way: Told | None = None  # a hand-over that nothing has proved to be unsent
    seen = False
    for line in lines:
        if line.kind == "message.sending":
            if under_way is not None:
                yield "handed_over_twice", {"fence": line.fence, "before": under_way.fence}
            under_way, seen = line, True
        elif line.kind in _UNSENT:
            under_way = None
        elif line.kind == "message.in_doubt" and line.by == "restore":
            seen = True  # what left after the snapshot is not in it
        if line.kind == "message.sent" and not seen:
            yield "sent_without_handover", {"by": line.by}
    if message.state == "sent" and not any(line.kind == "message.sent" for line in lines):
        yield "sent_without_handover", {"by": None}
